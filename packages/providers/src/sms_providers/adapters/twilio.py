"""Twilio Programmable Messaging: the API of 2010-04-01, by Twilio's OpenAPI description and Python SDK as of 2026-08."""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Final, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, SecretStr, model_validator

from sms_contract.status import Status
from sms_providers.base import HttpProvider, form_body
from sms_providers.config import BaseUrl, HttpConfig
from sms_providers.errors import MISCONFIGURED, Fault, UnsuitableError, refused, unavailable, unsuitable
from sms_providers.reading import since_1970, whole
from sms_providers.types import (
    Accepted,
    Balance,
    Callback,
    Capabilities,
    Exchange,
    HttpAnswer,
    HttpRequest,
    Inbound,
    OptOut,
    OutboundSms,
    Receipt,
    Verification,
)

#: Seconds. What may live longer ends there after these ten hours all the same.
MAX_VALIDITY: Final = 36000
MAX_CHARACTERS: Final = 1600

Sid = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class TwilioConfig(HttpConfig):
    """An account, optionally with an API key in place of its token, and a messaging service for messages without a sender."""

    account_sid: Sid = Field(description="AC…, from the console's account page")
    auth_token: SecretStr = Field(min_length=1, description="Signs callbacks, and requests unless there is an API key")
    api_key_sid: Sid | None = Field(default=None, description="SK…, used for requests together with its secret")
    api_key_secret: SecretStr | None = None
    messaging_service_sid: Sid | None = Field(default=None, description="MG…, sends where a message names no sender")
    base_url: BaseUrl = "https://api.twilio.com"

    @model_validator(mode="after")
    def _key_is_whole(self) -> Self:
        if (self.api_key_sid is None) is not (self.api_key_secret is None):
            raise ValueError("api_key_sid and api_key_secret go together")
        return self


class TwilioProvider(HttpProvider[TwilioConfig]):
    """One POST a message; signed callbacks; no reference of ours travels there, so that nothing can be looked up by it."""

    slug = "twilio"
    title = "Twilio"
    Config = TwilioConfig
    capabilities = Capabilities(
        callback_per_message=True, signed_callbacks=True, validity=True, inbound=True, balance=True, needs_sender=True
    )

    #: https://www.twilio.com/docs/api/errors (the whole list: …/errors.md); what is not here and comes with a 4xx: nothing was made,
    #: another provider may try.
    faults: ClassVar[dict[str, Fault]] = {
        "20429": unavailable(throttled=True),
        "20503": unavailable(),
        "14107": unavailable(throttled=True),  # more than the account's rate
        "21611": unavailable(throttled=True),  # this sender's queue is full
        "20003": MISCONFIGURED,  # authentication
        "20005": MISCONFIGURED,  # account not active
        "20006": MISCONFIGURED,  # this key may not
        "20008": MISCONFIGURED,  # test credentials where live ones are needed
        "20010": MISCONFIGURED,  # sending is disabled for the account
        "21609": MISCONFIGURED,  # `StatusCallback`: PUBLIC_BASE_URL is no address that Twilio can reach
        "30002": MISCONFIGURED,  # account suspended
        "21212": unsuitable(),  # not a possible sender
        "21603": unsuitable(),  # no sender
        "21606": unsuitable(),  # not a sender of this account
        "21608": unsuitable("route.none_available"),  # trial account: unverified recipient
        "21219": unsuitable("route.none_available"),  # the same, elsewhere
        "21408": unsuitable("route.none_available"),  # region not enabled
        "21612": unsuitable(),  # no route from this sender to that number
        "21616": unsuitable(),  # the sender is several numbers of this account
        "21657": unsuitable(),  # no valid sender
        "21659": unsuitable(),  # not a number of Twilio's, or a short code of another country
        "21660": unsuitable(),  # another account's
        "21661": unsuitable(),  # no SMS from this number
        "21662": unsuitable(),  # 21662, 21663, 21668: not by the region that the number is routed to
        "21663": unsuitable(),
        "21668": unsuitable(),
        "21910": unsuitable(),  # sender and recipient are of different channels
        **dict.fromkeys(("21701", "21702", "21703", "21704", "21705", "21709", "21712", "21715"), unsuitable()),  # messaging service
        "21211": refused("recipient.invalid_number"),
        "21614": refused("recipient.invalid_number"),  # not a mobile number
        "21635": refused("recipient.invalid_number"),  # landline
        "21610": refused("recipient.opted_out", opted_out=True),
        "21602": refused("content.blocked"),  # no text
        "21617": refused("content.blocked"),  # longer than 1600 characters
        "21618": refused("content.blocked"),
        "21619": refused("content.blocked"),  # no text
        "21624": refused("validity.expired"),
        "90007": refused("validity.expired"),
    }

    #: `ErrorCode` in reports, for a message that was taken and did not arrive.
    report_codes: ClassVar[dict[str, str]] = {
        "21610": "recipient.opted_out",
        "30001": "provider.throttled",  # queue overflow
        "30002": "provider.misconfigured",  # account suspended
        "30003": "recipient.unreachable",  # handset off or out of reach
        "30004": "recipient.blocked",
        "30005": "recipient.invalid_number",  # unknown handset
        "30006": "recipient.unreachable",  # landline, or a carrier that cannot be reached
        "30007": "content.blocked",  # filtered
        "30008": "recipient.unreachable",  # unknown error
        "30010": "provider.misconfigured",  # dearer than the account's maximum
        "30011": "content.blocked",
        "30012": "validity.expired",
        "30014": "recipient.invalid_number",
        "30017": "provider.throttled",  # carrier congestion
        "30018": "sender.not_allowed",  # not registered there
        "30019": "content.blocked",
        "30020": "provider.unavailable",  # 30020, 30021, 30500: Twilio's own failure
        "30021": "provider.unavailable",
        "30022": "provider.throttled",  # 10DLC
        "30023": "provider.throttled",  # daily cap
        "30024": "sender.not_allowed",
        "30027": "provider.throttled",  # daily cap
        "30032": "sender.not_allowed",  # toll-free, not verified
        "30033": "sender.not_allowed",  # 10DLC, campaign suspended
        "30034": "sender.not_allowed",  # 10DLC, not registered
        "30035": "sender.not_allowed",  # 10DLC, still being set up
        "30036": "validity.expired",
        "30037": "provider.misconfigured",  # sending is disabled for the account
        "30038": "content.blocked",  # a code, filtered
        "30040": "sender.not_allowed",  # 30040, 30041: not registered in that country
        "30041": "sender.not_allowed",
        "30042": "sender.not_allowed",  # a name that is not this account's
        "30043": "route.none_available",  # from abroad, by a gateway for home
        "30044": "content.blocked",  # trial account: too long
        "30410": "provider.unavailable",
        "30450": "recipient.blocked",  # 30450, 30453, 30485: what looks like fraud there
        "30453": "recipient.blocked",
        "30454": "provider.throttled",  # more than the account may send there
        "30485": "recipient.blocked",
        "30500": "provider.unavailable",
    }

    statuses: ClassVar[dict[str, Status]] = {
        "accepted": Status.SENT,
        "scheduled": Status.SENT,
        "queued": Status.SENT,
        "sending": Status.SENT,
        "sent": Status.SENT,
        "delivered": Status.DELIVERED,
        "read": Status.DELIVERED,
        "undelivered": Status.UNDELIVERED,
        "failed": Status.UNDELIVERED,  # Twilio had taken it: no other provider is tried
        "canceled": Status.CANCELED,
    }

    def __init__(self, config: TwilioConfig, *, account: str | None = None) -> None:
        super().__init__(config, account=account)
        self._token = config.auth_token.get_secret_value().encode()
        user, password = config.account_sid, config.auth_token
        if config.api_key_sid is not None and config.api_key_secret is not None:
            user, password = config.api_key_sid, config.api_key_secret
        credentials = base64.b64encode(f"{user}:{password.get_secret_value()}".encode()).decode()
        self._account_url = f"{config.base_url}/2010-04-01/Accounts/{config.account_sid}"
        self._url = f"{self._account_url}/Messages.json"
        self._headers = {
            "Authorization": f"Basic {credentials}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }

    def request_for(self, sms: OutboundSms) -> HttpRequest:
        if len(sms.text) > MAX_CHARACTERS:
            raise UnsuitableError(f"more than {MAX_CHARACTERS} characters", code="content.blocked")
        fields = {"To": sms.to, "Body": sms.text, "ValidityPeriod": str(max(1, min(sms.validity, MAX_VALIDITY)))}
        if sms.sender is not None:
            fields["From"] = sms.sender
        elif self.config.messaging_service_sid is not None:
            fields["MessagingServiceSid"] = self.config.messaging_service_sid
        else:
            raise UnsuitableError("neither a sender nor a messaging service")
        if sms.callback_url is not None:
            fields["StatusCallback"] = sms.callback_url
        return HttpRequest(method="POST", url=self._url, headers=self._headers, body=form_body(fields))

    def accepted(self, answer: HttpAnswer) -> Accepted | None:
        body = answer.json_object() or {}
        sid = body.get("sid")
        if not isinstance(sid, str) or not sid.startswith(("SM", "MM")):
            return None
        status, segments, code = str(body.get("status")), body.get("num_segments"), body.get("error_code")
        receipt = self._receipt(sid, status, None if code is None else str(code))
        return Accepted(
            message_id=sid,
            provider_status=status,
            segments=whole(segments),
            receipts=() if receipt.status in {Status.SENT, Status.UNKNOWN} else (receipt,),
        )

    def error_of(self, answer: HttpAnswer) -> tuple[str, str] | None:
        body = answer.json_object() or {}
        code = body.get("code")
        if not isinstance(code, int) or body.get("status") != answer.status:
            return None
        return str(code), str(body.get("message") or body.get("detail") or body.get("title") or "")

    async def balance(self, exchange: Exchange) -> Balance:
        """A subaccount has none of its own, and Twilio says so by an answer without one."""
        content = self.content(await exchange(HttpRequest(method="GET", url=f"{self._account_url}/Balance.json", headers=self._headers)))
        return self.left(content, "balance", currency=content.get("currency"))

    def verify(self, callback: Callback) -> Verification:
        """
        https://www.twilio.com/docs/usage/security#validating-requests

        Whether Twilio signs the URL with or without its port is not the same everywhere, so both count. Names and values are signed run
        together: `OptOutTyp=eSTOP` has the signature of `OptOutType=STOP`, here as in Twilio's own libraries. Who would move that border
        has to have seen a callback of Twilio's to this very URL.
        """
        given = callback.headers.get("x-twilio-signature", "").encode()
        fields = callback.form_pairs
        if callback.body and not fields and not _body_matches(callback):
            return Verification.FORGED
        tail = "".join(name + value for name, value in sorted(set(fields)))
        signed = any(
            hmac.compare_digest(base64.b64encode(hmac.digest(self._token, (url + tail).encode(), "sha1")), given)
            for url in _port_variants(callback.url)
        )
        return Verification.SIGNED if signed else Verification.FORGED

    def read(self, callback: Callback) -> list[Receipt | Inbound]:
        form = callback.form
        sid = form.get("MessageSid") or form.get("SmsSid")
        status = form.get("MessageStatus") or form.get("SmsStatus")
        if not sid:
            return []
        if status == "received" or (status is None and "Body" in form):
            return [_inbound(sid, form)]
        if not status:
            return []
        return [self._receipt(sid, status, form.get("ErrorCode"), _done_at(form.get("RawDlrDoneDate")))]

    def _receipt(self, sid: str, word: str, code: str | None, occurred_at: int | None = None) -> Receipt:
        status = self.statuses.get(word, Status.UNKNOWN)
        code = code or None
        if status is Status.UNDELIVERED and code == "30036":
            status = Status.EXPIRED
        arrived = status in {Status.SENT, Status.DELIVERED}
        return Receipt(
            status=status,
            message_id=sid,
            code=None if arrived else self.report_codes.get(code or "", "recipient.unreachable"),
            provider_status=word,
            provider_code=code,
            occurred_at=occurred_at,
            opted_out=code == "21610",
            recognised=word in self.statuses,
        )


def _body_matches(callback: Callback) -> bool:
    """A body that is no form is not in the signature; its hash is, as a parameter of the signed URL."""
    expected = parse_qs(urlsplit(callback.url).query).get("bodySHA256", [""])[0]
    return hmac.compare_digest(hashlib.sha256(callback.body).hexdigest().encode(), expected.encode())


def _port_variants(url: str) -> Iterator[str]:
    yield url
    parts = urlsplit(url)
    user, at, place = parts.netloc.rpartition("@")
    host, colon, port = place.rpartition(":")
    if colon and port.isdecimal():
        yield parts._replace(netloc=user + at + host).geturl()
    else:
        default = 443 if parts.scheme == "https" else 80
        yield parts._replace(netloc=f"{parts.netloc}:{default}").geturl()


def _done_at(value: str | None) -> int | None:
    """`RawDlrDoneDate`, YYMMDDhhmm, in UTC."""
    if not value:
        return None
    try:
        return since_1970(datetime.strptime(value, "%y%m%d%H%M").replace(tzinfo=UTC))
    except ValueError:
        return None


def _inbound(sid: str, form: dict[str, str]) -> Inbound:
    word = form.get("OptOutType", "").lower()
    return Inbound(
        message_id=sid,
        sender=form.get("From", ""),
        to=form.get("To", ""),
        text=form.get("Body", ""),
        segments=whole(form.get("NumSegments")) or 1,
        opt_out=OptOut(word) if word in set(OptOut) else None,
    )
