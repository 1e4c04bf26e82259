"""The seam: what an adapter is, and what every HTTP adapter has in common."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import ClassVar

import msgspec
from yarl import URL

from sms_contract.phone import masked
from sms_providers.config import ProviderConfig
from sms_providers.errors import (
    MISCONFIGURED,
    UNKNOWN,
    Fault,
    Outcome,
    SendError,
    UnknownOutcomeError,
    UnsuitableError,
    refused,
    unavailable,
    unsuitable,
)
from sms_providers.reading import decimal, word
from sms_providers.types import (
    Accepted,
    Balance,
    Callback,
    Capabilities,
    Exchange,
    HttpAnswer,
    HttpRequest,
    Inbound,
    OutboundSms,
    Receipt,
    Verification,
)

_NUMBER = re.compile(r"\+?[0-9]{7,15}")
_MAX_DETAIL = 300
_MAX_CURRENCY = 8
_encode_json = msgspec.json.Encoder().encode
#: A vendor that asks for more patience than this is asked again after this.
_MAX_RETRY_AFTER = 3600.0


class Provider[C: ProviderConfig](ABC):
    """A translator between our messages and a vendor's. It owns no socket: it is lent an `exchange`."""

    slug: ClassVar[str]  #: "twilio": the module and the adapter's name everywhere
    title: ClassVar[str]
    capabilities: Capabilities  #: of the adapter; an account whose configuration decides has its own
    Config: ClassVar[type[ProviderConfig]]

    def __init__(self, config: C, *, account: str | None = None) -> None:
        self.config = config
        self.account = account or self.slug  #: the operator's name for this account: what metrics and circuits go by
        self._secrets = sorted(config.secrets(), key=len, reverse=True)

    @abstractmethod
    async def send(self, sms: OutboundSms, exchange: Exchange) -> Accepted:
        """Hand one message over, or raise `SendError`."""

    async def look_up(self, reference: str, exchange: Exchange) -> Accepted | None:
        """
        Find a message by our reference; None: the vendor says that it has none, or that it has refused it.

        Raises `SendError`, of any kind, where it cannot say: that is about the question, and never about the message.
        """
        raise NotImplementedError(f"{self.slug} declares no look-up")

    async def poll(self, message_ids: Sequence[str], exchange: Exchange) -> list[Receipt]:
        """Ask for reports, of as many messages as the vendor takes at once."""
        raise NotImplementedError(f"{self.slug} declares no polled reports")

    async def cancel(self, message_id: str, exchange: Exchange) -> bool:
        """Take a message back; False: too late."""
        raise NotImplementedError(f"{self.slug} declares no cancel")

    async def balance(self, exchange: Exchange) -> Balance:
        """
        Ask what is left in the account.

        Raises `SendError`, of any kind, where the vendor does not say: that is about the question, and opens no circuit.
        """
        raise NotImplementedError(f"{self.slug} declares no balance")

    def verify(self, callback: Callback) -> Verification:  # noqa: ARG002 - for adapters
        """Did this vendor really send this callback? Compares in constant time."""
        return Verification.UNSIGNED

    def read(self, callback: Callback) -> list[Receipt | Inbound]:  # noqa: ARG002 - for adapters
        """What a callback says. Never raises for what a vendor may send: unmapped states become `unknown`, other requests nothing."""
        return []

    def redact(self, text: str) -> str:
        """A vendor's words, fit for logs and records: without secrets, without numbers, and short."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return _NUMBER.sub(lambda match: masked(match.group()), text)[:_MAX_DETAIL]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(account={self.account!r})"


class HttpProvider[C: ProviderConfig](Provider[C]):
    """
    A vendor that is spoken to by one HTTP request a message.

    An adapter fills `request_for` and `accepted`, names its error codes in `faults`, and says in `error_of` where they stand.
    """

    faults: ClassVar[dict[str, Fault]] = {}  #: the vendor's documented error codes
    busy_is_clear: ClassVar[bool] = True  #: a 503 means that nothing was taken; False where the vendor leaves that open

    async def send(self, sms: OutboundSms, exchange: Exchange) -> Accepted:
        try:
            request = self.request_for(sms)
        except ValueError as error:
            raise UnsuitableError(f"cannot be put into a request: {type(error).__name__}", code="content.blocked") from error
        return self.judge(await exchange(request))

    def fault(self, code: str) -> Fault | None:
        """What a code of the vendor's means; None: nobody has said."""
        return self.faults.get(code)

    @abstractmethod
    def request_for(self, sms: OutboundSms) -> HttpRequest:
        """The request that hands it over. Raises `SendError` for what this vendor cannot be told."""

    @abstractmethod
    def accepted(self, answer: HttpAnswer) -> Accepted | None:
        """Read a 2xx; None where the documented id is not there. Raises `SendError` where a 2xx says no."""

    def error_of(self, answer: HttpAnswer) -> tuple[str, str] | None:  # noqa: ARG002 - for adapters
        """Code and message of an answer in the vendor's own error shape; None for any other shape."""
        return None

    def judge(self, answer: HttpAnswer) -> Accepted:
        """Accepted, or an error; what cannot be read is unknown, never a guess."""
        if not 200 <= answer.status < 300:
            raise self.rejection(answer)
        try:
            accepted = self.accepted(answer)
        except (msgspec.MsgspecError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise UnknownOutcomeError(f"HTTP {answer.status} that cannot be read: {type(error).__name__}") from error
        if accepted is None or not accepted.message_id:
            raise UnknownOutcomeError(f"HTTP {answer.status} without a message id")
        return accepted

    def rejection(self, answer: HttpAnswer) -> SendError:
        """Which error an answer other than 2xx is."""
        found = self.error_of(answer)
        code, message = found or (None, "")
        fault = self._fault_of(answer.status, self.fault(code or ""), in_shape=found is not None)
        detail = self.redact(f"HTTP {answer.status}: {message}" if message else f"HTTP {answer.status}")
        return fault.error(detail, provider_code=code, retry_after=_retry_after(answer))

    def _fault_of(self, status: int, fault: Fault | None, *, in_shape: bool) -> Fault:
        if status != 503:
            return _by_status(status, fault, in_shape=in_shape)
        if fault is not None and fault.outcome in {Outcome.UNAVAILABLE, Outcome.UNKNOWN}:
            return fault
        return unavailable() if self.busy_is_clear else UNKNOWN

    def content(self, answer: HttpAnswer) -> dict[str, object]:
        """What a 2xx says in JSON, to a question that sends nothing. Raises `SendError` where it says nothing."""
        if not 200 <= answer.status < 300:
            raise self.rejection(answer)
        content = answer.json_object()
        if content is None:
            raise UnknownOutcomeError(f"HTTP {answer.status} that cannot be read")
        return content

    def left(self, content: Mapping[str, object], field: str, *, currency: object) -> Balance:
        """A balance out of an answer's field, in what the vendor calls its currency. Raises `SendError` where there is no number in it."""
        amount = decimal(content.get(field))
        if amount is None:
            raise UnknownOutcomeError(f"an answer without `{field}`")
        unit = word(currency)
        return Balance(amount=amount, currency=None if unit is None else unit[:_MAX_CURRENCY])

    def refuse(self, answer: HttpAnswer, code: str, message: str = "") -> SendError:
        """The error for a code inside a 2xx; one that the table lacks is unknown."""
        detail = self.redact(f"HTTP {answer.status}: {message or code}")
        return (self.fault(code) or UNKNOWN).error(detail, provider_code=code, retry_after=_retry_after(answer))


def json_body(content: Mapping[str, object]) -> bytes:
    """`application/json`. Raises `UnicodeEncodeError`, as `form_body` does."""
    return _encode_json(content)


def form_body(fields: Mapping[str, str]) -> bytes:
    """
    `application/x-www-form-urlencoded`. Raises `UnicodeEncodeError` for a lone surrogate, which yarl would leave out without a word.

    yarl, because its quoting costs a quarter of urllib's, and this runs once a message.
    """
    "".join(fields.values()).encode()
    return URL.build(query=fields).raw_query_string.encode("ascii")


#: What an HTTP status means where the adapter's table has no word on the vendor's own code.
_STATUSES: dict[int, Fault] = {
    301: MISCONFIGURED,  # like 307 and 308: the resource is elsewhere, nothing was done here
    307: MISCONFIGURED,
    308: MISCONFIGURED,
    401: MISCONFIGURED,
    402: MISCONFIGURED,  # payment: no balance
    403: unsuitable("route.none_available", remembered=True),
    404: MISCONFIGURED,  # the path holds account and endpoint
    405: MISCONFIGURED,
    408: UNKNOWN,  # the server gave up waiting; how much it had read nobody knows
    409: UNKNOWN,
    413: refused("content.blocked"),
    429: unavailable(throttled=True),
}


def _by_status(status: int, fault: Fault | None, *, in_shape: bool) -> Fault:
    if status >= 500:
        # A server that failed may have taken the message before, whatever it says.
        return UNKNOWN
    if fault is not None:
        return fault
    if status in _STATUSES:
        return _STATUSES[status]
    # The vendor's own error shape means that no message was made; a page of somebody in between means nothing.
    return unsuitable("route.none_available", remembered=False) if in_shape and 400 <= status < 500 else UNKNOWN


def _retry_after(answer: HttpAnswer) -> float | None:
    value = answer.headers.get("retry-after", "").strip()
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return min(float(value), _MAX_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    wait = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(wait, 0.0), _MAX_RETRY_AFTER)
