"""What passes between the pipeline and an adapter: messages in, requests out, answers and callbacks back, receipts in the end."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from urllib.parse import parse_qsl, urlsplit

import msgspec

from sms_contract.segments import Encoding
from sms_contract.status import Mode, Status, TrafficType


@dataclass(frozen=True, kw_only=True, slots=True)
class OutboundSms:
    """One message for one attempt. Its number, text and callback URL stay out of `repr`, so that no log can show them."""

    tracking_id: str
    attempt: int  #: number of this attempt of this message, from 1
    reference: str  #: ours, for the vendor: the same again only where it recognises what it has already, and may have it
    to: str = field(repr=False)  #: E.164
    text: str = field(repr=False)  #: as it goes on the wire
    sender: str | None = None
    encoding: Encoding = Encoding.GSM7
    segments: int = 1
    validity: int = 86400  #: seconds left
    traffic_type: TrafficType = TrafficType.TRANSACTIONAL
    mode: Mode = Mode.LIVE
    callback_url: str | None = field(default=None, repr=False)  #: where reports of this attempt shall go


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpAnswer:
    """What came back. Ask for headers by their names in lower case."""

    status: int
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def text(self) -> str:
        """The body as UTF-8, with what is none replaced."""
        return self.body.decode("utf-8", "replace")

    def json_object(self) -> dict[str, object] | None:
        """The body as a JSON object; None where it is none."""
        return _json_object(self.body)


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpRequest:
    """One request to a vendor. URL, headers and body may carry secrets and numbers, so none of them is in `repr`."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    #: Answers in the process instead of the network: what the `test` provider is made of.
    in_process: "Callable[[], HttpAnswer] | None" = field(default=None, repr=False)
    #: Asks a library that opens its own sockets, in a thread: whatever goes wrong there is unknown.
    in_thread: "Callable[[], HttpAnswer] | None" = field(default=None, repr=False)


#: What an adapter is lent to reach its vendor; the transport makes these, tests too.
Exchange = Callable[[HttpRequest], Awaitable[HttpAnswer]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Which part of a message a report speaks of, where a vendor reports each segment."""

    index: int  #: from 1
    total: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """One delivery report, in our words. It finds its attempt by the vendor's id, by our reference, or by the callback URL it came to."""

    status: Status  #: `sent` also for "queued" and the like there; `unknown` for what we cannot read
    message_id: str | None = None
    reference: str | None = None
    recipient: str | None = field(default=None, repr=False)  #: where one id of the vendor stands for several recipients
    code: str | None = None  #: of the catalogue, where it did not arrive
    provider_status: str | None = None  #: the vendor's own word
    provider_code: str | None = None
    detail: str | None = None
    part: Part | None = None
    occurred_at: int | None = None  #: ms since 1970, by the vendor's clock
    opted_out: bool = False  #: the recipient wants nothing more from this sender
    recognised: bool = True  #: False: a word that this adapter does not know; keep the report, let it move nothing


class OptOut(StrEnum):
    """What a person's message asks for, where the vendor has recognised it."""

    STOP = "stop"
    START = "start"
    HELP = "help"


@dataclass(frozen=True, kw_only=True, slots=True)
class Inbound:
    """A message from a person (MO)."""

    message_id: str
    sender: str = field(repr=False)
    to: str
    text: str = field(repr=False)
    segments: int = 1
    received_at: int | None = None  #: ms since 1970
    opt_out: OptOut | None = None
    part: Part | None = None  #: where the vendor hands on parts unjoined
    part_reference: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """A clear yes, with the vendor's id."""

    message_id: str
    provider_status: str | None = None
    segments: int | None = None  #: as the vendor counts them
    part_ids: tuple[str, ...] = ()  #: where each part has an id of its own; reports name these
    receipts: tuple[Receipt, ...] = ()  #: reports that came with the answer, to be applied right after it


@dataclass(frozen=True, kw_only=True, slots=True)
class Balance:
    """What is left in an account to be spent, as the vendor says it."""

    amount: Decimal
    currency: str | None = None  #: ISO 4217; None where the vendor does not say which


@dataclass(frozen=True, kw_only=True, slots=True)
class Callback:
    """A vendor's request to us, raw. `url` is the one that the vendor called, and signed; header names are in lower case."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    received_at: int = 0  #: ms since 1970
    _pairs: list[tuple[str, str]] | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def query(self) -> dict[str, str]:
        """The parameters in the URL; of a repeated name the last."""
        return dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))

    def json_object(self) -> dict[str, object] | None:
        """The body as a JSON object, whatever its media type says; None where it is none."""
        return _json_object(self.body)

    @property
    def form_pairs(self) -> list[tuple[str, str]]:
        """The fields of a form body, in order, repeated ones too; empty where the body is no form."""
        if self._pairs is None:
            # Read once: what is verified first is then read.
            is_form = self.headers.get("content-type", "").lower().startswith("application/x-www-form-urlencoded")
            found = parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True) if is_form else []
            object.__setattr__(self, "_pairs", found)
            return found
        return self._pairs

    @property
    def form(self) -> dict[str, str]:
        """The fields of a form body; of a repeated name the last."""
        return dict(self.form_pairs)


def _json_object(body: bytes) -> dict[str, object] | None:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


class Verification(StrEnum):
    """What a callback's signature says."""

    SIGNED = "signed"  #: the vendor's, so the callback counts
    UNSIGNED = "unsigned"  #: this vendor, or this account, signs nothing: only a MAC in the callback URL makes it count
    FORGED = "forged"  #: missing or wrong where there has to be one: never counts, whatever the MAC says


class Reports(StrEnum):
    """How delivery reports come."""

    PUSHED = "pushed"
    POLLED = "polled"
    NONE = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class Capabilities:
    """What an adapter can do; shown to operators, and the pipeline asks nothing that is not declared."""

    reports: Reports = Reports.PUSHED
    callback_per_message: bool = False  #: the vendor takes a report URL for each message
    signed_callbacks: bool = False
    reports_per_poll: int = 1  #: of how many messages may be asked at once
    client_reference: bool = False  #: the vendor carries our reference
    part_ids: bool = False  #: each part of a message has an id of its own, which its reports name
    deduplicates: bool = False  #: the vendor refuses or repeats the same reference, so that sending again is harmless
    look_up: bool = False  #: a message can be found by our reference
    validity: bool = False  #: the vendor takes a validity
    cancel: bool = False
    inbound: bool = False
    balance: bool = False  #: the vendor says what is left in the account
    needs_sender: bool = False
    recipients_per_request: int = 1
