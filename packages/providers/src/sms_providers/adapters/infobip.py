"""Infobip SMS v3, by its OpenAPI description 3.210 and Python SDK."""

from collections.abc import Mapping
from typing import ClassVar, Final
from urllib.parse import quote

from pydantic import Field, SecretStr

from sms_contract.status import Status
from sms_providers.base import HttpProvider, json_body
from sms_providers.config import HttpConfig
from sms_providers.errors import MISCONFIGURED, UNKNOWN, Fault, UnknownOutcomeError, UnsuitableError, refused, unavailable, unsuitable
from sms_providers.reading import international, json_of, mapping, mappings, moment, whole, word
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
)

#: Seconds; longer ones are cut to this there.
MAX_VALIDITY: Final = 172800
_TAKEN: Final = frozenset({"PENDING", "ACCEPTED", "DELIVERED", "UNDELIVERABLE", "EXPIRED"})


class InfobipConfig(HttpConfig):
    """An account: its own address and a key."""

    api_key: SecretStr = Field(min_length=1)


class InfobipProvider(HttpProvider[InfobipConfig]):
    """One POST a message under an id of ours, which is taken once only and can be looked up; nothing that it posts is signed."""

    slug = "infobip"
    title = "Infobip"
    Config = InfobipConfig
    capabilities = Capabilities(
        callback_per_message=True,
        client_reference=True,
        deduplicates=True,
        look_up=True,
        validity=True,
        inbound=True,
        balance=True,
        needs_sender=True,
    )

    #: By status id, inside a 200, or by the code of an error.
    faults: ClassVar[dict[str, Fault]] = {
        "6": unsuitable("route.none_available", remembered=False),  # network
        "8": unsuitable("route.none_available", remembered=False),  # prefix
        "18": unsuitable("route.none_available", remembered=False),  # trial account: number not registered
        "19": unsuitable("route.none_available", remembered=False),  # no route
        "11": unsuitable(),  # source
        "13": unsuitable(),  # sender
        "12": MISCONFIGURED,  # no credit
        "17": MISCONFIGURED,  # prepaid package expired
        "21": UNKNOWN,  # system error
        "23": UNKNOWN,  # our id was used before, by a message whose answer never came: the look-up tells what became of that
        "10": refused("recipient.blocked"),  # do-not-disturb list
        "14": refused("recipient.blocked"),  # destination on the block list
        "20": refused("content.blocked"),  # flooding filter
        "24": refused("content.blocked"),  # user data header
        "25": refused("content.blocked"),
        "51": refused("recipient.invalid_number"),  # none
        "52": refused("recipient.invalid_number"),
        "87": refused("content.blocked"),  # signals blocked
        "UNAUTHORIZED": MISCONFIGURED,
        "TOO_MANY_REQUESTS": unavailable(throttled=True),
    }

    #: `error.id` in reports, as far as it says more than "not reached".
    report_codes: ClassVar[dict[str, str]] = {
        "1": "recipient.invalid_number",  # unknown subscriber
        "9": "recipient.invalid_number",  # illegal subscriber
        "11": "recipient.unreachable",  # teleservice not provisioned
        "12": "recipient.blocked",  # illegal equipment
        "13": "recipient.blocked",  # call barred
    }

    statuses: ClassVar[dict[str, Status]] = {
        "2": Status.SENT,  # to the operator: not all say more
        "3": Status.SENT,
        "7": Status.SENT,
        "26": Status.SENT,
        "5": Status.DELIVERED,
        "4": Status.UNDELIVERED,
        "9": Status.UNDELIVERED,
        "31": Status.UNDELIVERED,
        "15": Status.EXPIRED,
        "29": Status.UNKNOWN,
    }
    #: For a status id that is not listed.
    groups: ClassVar[dict[str, Status]] = {
        "PENDING": Status.SENT,
        "ACCEPTED": Status.SENT,
        "DELIVERED": Status.DELIVERED,
        "UNDELIVERABLE": Status.UNDELIVERED,
        "EXPIRED": Status.EXPIRED,
        "REJECTED": Status.UNDELIVERED,
    }

    def __init__(self, config: InfobipConfig, *, account: str | None = None) -> None:
        super().__init__(config, account=account)
        self._headers = {"Authorization": f"App {config.api_key.get_secret_value()}", "Accept": "application/json"}
        self._post_headers = {**self._headers, "Content-Type": "application/json"}

    def request_for(self, sms: OutboundSms) -> HttpRequest:
        if sms.sender is None:
            raise UnsuitableError("no sender")
        message: dict[str, object] = {
            "sender": sms.sender.removeprefix("+"),
            "destinations": [{"to": sms.to.removeprefix("+"), "messageId": sms.reference}],
            "content": {"text": sms.text},
            "options": {"validityPeriod": {"amount": max(1, min(sms.validity, MAX_VALIDITY)), "timeUnit": "SECONDS"}},
        }
        if sms.callback_url is not None:
            delivery = {"url": sms.callback_url, "intermediateReport": True, "notify": True}
            message["webhooks"] = {"delivery": delivery, "contentType": "application/json"}
        url = f"{self.config.base_url}/sms/3/messages"
        return HttpRequest(method="POST", url=url, headers=self._post_headers, body=json_body({"messages": [message]}))

    def accepted(self, answer: HttpAnswer) -> Accepted | None:
        entries = mappings(mapping(answer.json_object()).get("messages"))
        if len(entries) != 1:
            return None
        number = _rejected(entries[0])
        if number is not None:
            fault = self.faults.get(number, unsuitable("route.none_available", remembered=False))
            name = word(mapping(entries[0].get("status")).get("name"))
            raise fault.error(self.redact(f"HTTP {answer.status}: {name or number}"), provider_code=number)
        return self._taken(entries[0])

    def error_of(self, answer: HttpAnswer) -> tuple[str, str] | None:
        body = mapping(answer.json_object())
        code = word(body.get("errorCode"))
        if code is not None:
            return code, word(body.get("description")) or ""
        fault = mapping(mapping(body.get("requestError")).get("serviceException"))  # older shape
        code = word(fault.get("messageId"))
        return None if code is None else (code, word(fault.get("text")) or "")

    async def look_up(self, reference: str, exchange: Exchange) -> Accepted | None:
        """One that was rejected is not there: nothing of it was sent."""
        url = f"{self.config.base_url}/sms/3/logs?messageId={quote(reference, safe='')}"
        content = self.content(await exchange(HttpRequest(method="GET", url=url, headers=self._headers)))
        results = content.get("results")
        if not isinstance(results, list):
            raise UnknownOutcomeError("logs without results")
        found = [entry for entry in mappings(results) if entry.get("messageId") == reference]
        if results and not found:
            raise UnknownOutcomeError("logs of other messages")
        rejected = [number for entry in found if (number := _rejected(entry)) is not None]
        if len(rejected) == len(found):
            if any(self.faults.get(number) is UNKNOWN for number in rejected):
                raise UnknownOutcomeError("rejected for a reason that says nothing of an earlier one")
            return None
        taken = self._taken(next(entry for entry in found if _rejected(entry) is None))
        if taken is None:
            raise UnknownOutcomeError("a log entry without a state")
        return taken

    async def balance(self, exchange: Exchange) -> Balance:
        """https://www.infobip.com/docs/api/platform/account-management/get-account-balance"""
        url = f"{self.config.base_url}/account/1/balance"
        content = self.content(await exchange(HttpRequest(method="GET", url=url, headers=self._headers)))
        return self.left(content, "balance", currency=content.get("currency"))

    def read(self, callback: Callback) -> list[Receipt | Inbound]:
        """Up to 100 results a push; one without any is a test of the address."""
        entries = [entry for entry in mappings(json_of(callback).get("results")) if word(entry.get("messageId"))]
        return [self._receipt(entry) if "status" in entry else _inbound(entry) for entry in entries if "status" in entry or "text" in entry]

    def _taken(self, message: Mapping[str, object]) -> Accepted | None:
        """A message that is there, and what has become of it; None where its state is none."""
        if word(mapping(message.get("status")).get("groupName")) not in _TAKEN:
            return None
        receipt = self._receipt(message)
        return Accepted(
            message_id=word(message.get("messageId")) or "",
            provider_status=receipt.provider_status,
            segments=whole(message.get("messageCount")) or whole(mapping(message.get("details")).get("messageCount")),
            receipts=() if receipt.status in {Status.SENT, Status.UNKNOWN} else (receipt,),
        )

    def _receipt(self, entry: Mapping[str, object]) -> Receipt:
        status, error = mapping(entry.get("status")), mapping(entry.get("error"))
        number, group = word(status.get("id")) or "", word(status.get("groupName")) or ""
        found = self.statuses.get(number, self.groups.get(group, Status.UNKNOWN))
        code = None
        if found not in {Status.SENT, Status.DELIVERED}:
            fault = self.faults.get(number) if group == "REJECTED" else None
            default = "validity.expired" if found is Status.EXPIRED else "recipient.unreachable"
            code = fault.code if fault is not None else self.report_codes.get(word(error.get("id")) or "", default)
        reason = word(error.get("id"))
        return Receipt(
            status=found,
            message_id=word(entry.get("messageId")),
            reference=word(entry.get("messageId")),
            code=code,
            provider_status=word(status.get("name")) or group or None,
            provider_code=reason if reason not in {None, "0"} else (number or None),
            occurred_at=moment(entry.get("doneAt")),
            recognised=number in self.statuses or group in self.groups,
        )


def _rejected(message: Mapping[str, object]) -> str | None:
    """The number of the reason, where it was not taken."""
    status = mapping(message.get("status"))
    return word(status.get("id")) or "" if status.get("groupName") == "REJECTED" else None


def _inbound(entry: Mapping[str, object]) -> Inbound:
    return Inbound(
        message_id=word(entry.get("messageId")) or "",
        sender=international(word(entry.get("from")) or ""),
        to=international(word(entry.get("to")) or ""),
        text=word(entry.get("text")) or "",
        segments=whole(entry.get("smsCount")) or 1,
        received_at=moment(entry.get("receivedAt")),
    )
