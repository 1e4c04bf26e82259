"""Kavenegar's REST API v1, by its documentation (https://kavenegar.com/rest.html) and SDKs as of 2026-08."""

from collections.abc import Sequence
from typing import Annotated, ClassVar
from urllib.parse import quote

from pydantic import Field, SecretStr

from sms_contract.status import Status
from sms_providers.base import HttpProvider, form_body
from sms_providers.config import BaseUrl, HttpConfig
from sms_providers.errors import MISCONFIGURED, UNKNOWN, Fault, UnknownOutcomeError, refused, unavailable, unsuitable
from sms_providers.reading import international, mapping, mappings, whole, word
from sms_providers.references import whole_number
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
    Reports,
)

_HEADERS = {"Accept": "application/json"}
_FORM = _HEADERS | {"Content-Type": "application/x-www-form-urlencoded"}
_NO_SUCH_ID = 100
_MALFORMED = unsuitable("route.none_available", remembered=False)
_TRIAL = "501"


class KavenegarConfig(HttpConfig):
    """An account."""

    api_key: SecretStr = Field(min_length=1, description="From the panel's account page; it is part of every URL")
    default_sender: Annotated[str, Field(pattern=r"^[0-9+]{0,15}$")] = Field(
        default="", description="The line that sends where a message names none; empty: the account's own default"
    )
    base_url: BaseUrl = "https://api.kavenegar.com"


class KavenegarProvider(HttpProvider[KavenegarConfig]):
    """
    One POST a message; reports are asked for; after a time-out the message is found by our `localid`.

    What the panel can push (reports, people's messages) is not signed, and its form is known from use only: it is read where the panel
    has been given the URL that `provider show` says, and nothing waits for it.
    """

    slug = "kavenegar"
    title = "Kavenegar"
    Config = KavenegarConfig
    capabilities = Capabilities(
        reports=Reports.POLLED, reports_per_poll=500, client_reference=True, look_up=True, cancel=True, inbound=True, balance=True
    )

    #: https://kavenegar.com/rest.html
    #: `return.status`, which the HTTP status repeats. 402 ("operation failed") does not say whether anything was done.
    faults: ClassVar[dict[str, Fault]] = {
        "401": MISCONFIGURED,  # account disabled
        "402": UNKNOWN,
        "403": MISCONFIGURED,  # no such key
        "407": MISCONFIGURED,  # no access from this address
        "409": unavailable(),  # cannot answer, try later
        "411": refused("recipient.invalid_number"),
        "412": unsuitable(),  # not a line of this account
        "413": refused("content.blocked"),
        "416": MISCONFIGURED,  # another address than configured
        "418": MISCONFIGURED,  # no credit
        "420": unsuitable("content.blocked", remembered=False),  # links are not allowed to this account
        "422": refused("content.blocked"),  # characters
        "426": MISCONFIGURED,  # needs another plan
        "427": unsuitable(),  # not from this line
        "429": unavailable(throttled=True),  # 429, 451: too many calls from this address
        "430": MISCONFIGURED,  # identity not confirmed
        "451": unavailable(throttled=True),
        "404": MISCONFIGURED,  # no such method
        "405": MISCONFIGURED,
        # A parameter that it cannot take.
        **dict.fromkeys(("400", "406", "414", "415", "417", "419", "424", "428", "431", "432"), _MALFORMED),
        _TRIAL: unsuitable("route.none_available"),  # trial: only to the account's own number
    }

    statuses: ClassVar[dict[str, Status]] = {
        "1": Status.SENT,  # queued
        "2": Status.SENT,  # scheduled
        "4": Status.SENT,  # with the carrier
        "5": Status.SENT,
        "6": Status.UNDELIVERED,  # failed at the carrier
        "10": Status.DELIVERED,
        "11": Status.UNDELIVERED,
        "13": Status.CANCELED,
        "14": Status.UNDELIVERED,  # the recipient has blocked such messages
    }

    def __init__(self, config: KavenegarConfig, *, account: str | None = None) -> None:
        super().__init__(config, account=account)
        self._account_url = f"{config.base_url}/v1/{quote(config.api_key.get_secret_value(), safe='')}"
        self._url = f"{self._account_url}/sms"

    def request_for(self, sms: OutboundSms) -> HttpRequest:
        fields = {"receptor": _national(sms.to), "message": sms.text, "localid": str(whole_number(sms.reference))}
        sender = sms.sender or self.config.default_sender
        if sender:
            fields["sender"] = sender.removeprefix("+")
        return HttpRequest(method="POST", url=f"{self._url}/send.json", headers=_FORM, body=form_body(fields))

    def error_of(self, answer: HttpAnswer) -> tuple[str, str] | None:
        said = mapping((answer.json_object() or {}).get("return"))
        code = whole(said.get("status"))
        return None if code is None or code == 200 else (str(code), word(said.get("message")) or "")

    def accepted(self, answer: HttpAnswer) -> Accepted | None:
        entries = self._entries(answer)
        return self._accepted(entries[0]) if entries else None

    async def look_up(self, reference: str, exchange: Exchange) -> Accepted | None:
        entries = self._entries(await exchange(self._get("statuslocalmessageid", f"localid={whole_number(reference)}")))
        if not entries or whole(entries[0].get("status")) == _NO_SUCH_ID:
            return None
        accepted = self._accepted(entries[0])
        if accepted is None:
            raise UnknownOutcomeError("a message without an id")
        return accepted

    async def poll(self, message_ids: Sequence[str], exchange: Exchange) -> list[Receipt]:
        entries = self._entries(await exchange(self._get("status", "messageid=" + ",".join(message_ids))))
        found = (self._receipt(word(entry.get("messageid")), word(entry.get("status"))) for entry in entries)
        return [receipt for receipt in found if receipt is not None]

    async def cancel(self, message_id: str, exchange: Exchange) -> bool:
        entries = self._entries(await exchange(self._get("cancel", f"messageid={message_id}")))
        return bool(entries) and self.statuses.get(word(entries[0].get("status")) or "") is Status.CANCELED

    async def balance(self, exchange: Exchange) -> Balance:
        """https://kavenegar.com/rest.html#account-info, in rials."""
        content = self._good(await exchange(HttpRequest(method="GET", url=f"{self._account_url}/account/info.json", headers=_HEADERS)))
        return self.left(mapping(content.get("entries")), "remaincredit", currency="IRR")

    def read(self, callback: Callback) -> list[Receipt | Inbound]:
        fields = {**callback.query, **callback.form}
        message_id, sender, to = fields.get("messageid"), fields.get("from"), fields.get("to")
        if message_id and sender and to and "message" in fields:
            return [Inbound(message_id=message_id, sender=international(sender), to=to, text=fields["message"])]
        receipt = self._receipt(message_id, fields.get("status"))
        return [] if receipt is None else [receipt]

    def _fault_of(self, status: int, fault: Fault | None, *, in_shape: bool) -> Fault:
        """501 is a code of Kavenegar's own, which its HTTP status repeats: no server has failed there."""
        return fault if status == int(_TRIAL) and fault is self.faults[_TRIAL] else super()._fault_of(status, fault, in_shape=in_shape)

    def _get(self, method: str, query: str) -> HttpRequest:
        return HttpRequest(method="GET", url=f"{self._url}/{method}.json?{query}", headers=_HEADERS)

    def _entries(self, answer: HttpAnswer) -> Sequence[dict[str, object]]:
        content = self._good(answer)
        if not isinstance(content.get("entries"), list):
            raise UnknownOutcomeError(f"HTTP {answer.status} that does not say what became of it")
        return [dict(entry) for entry in mappings(content["entries"])]

    def _good(self, answer: HttpAnswer) -> dict[str, object]:
        """An answer whose own status is good."""
        content = self.content(answer)
        error = self.error_of(answer)
        if error is not None:
            raise self.refuse(answer, *error)
        if whole(mapping(content.get("return")).get("status")) != 200:
            raise UnknownOutcomeError(f"HTTP {answer.status} that does not say what became of it")
        return content

    def _accepted(self, entry: dict[str, object]) -> Accepted | None:
        message_id, status = word(entry.get("messageid")), word(entry.get("status"))
        if message_id is None:
            return None
        receipt = self._receipt(message_id, status)
        final = receipt is not None and receipt.status not in {Status.SENT, Status.UNKNOWN}
        return Accepted(message_id=message_id, provider_status=status, receipts=(receipt,) if receipt is not None and final else ())

    def _receipt(self, message_id: str | None, status: str | None) -> Receipt | None:
        if not message_id or not status or status == str(_NO_SUCH_ID):
            return None
        known, blocked = self.statuses.get(status, Status.UNKNOWN), status == "14"
        code = "recipient.opted_out" if blocked else "recipient.unreachable"
        return Receipt(
            status=known,
            message_id=message_id,
            code=code if known is Status.UNDELIVERED else None,
            provider_status=status,
            opted_out=blocked,
            recognised=status in self.statuses,
        )


def _national(number: str) -> str:
    """As it is dialled in Iran."""
    return "0" + number[3:] if number.startswith("+98") else "00" + number[1:]
