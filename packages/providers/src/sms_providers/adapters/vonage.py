"""Vonage SMS API (once Nexmo), by its OpenAPI description and Python SDK as of 2026-08."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, SecretStr

from sms_contract.segments import Encoding
from sms_contract.status import Status
from sms_providers.base import HttpProvider, form_body
from sms_providers.config import BaseUrl, HttpConfig
from sms_providers.errors import MISCONFIGURED, UNKNOWN, Fault, UnsuitableError, refused, unavailable, unsuitable
from sms_providers.reading import international, json_of, mapping, mappings, moment, part_of, whole, word
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
    Part,
    Receipt,
    Verification,
)

#: Seconds.
MIN_VALIDITY: Final = 20
MAX_VALIDITY: Final = 604800
#: Seconds. A report is posted again for a day, and it is not documented whether with a new time stamp.
MAX_AGE: Final = 86400 + 300
MAX_AHEAD: Final = 300
_OPTED_OUT: Final = "9"


class VonageConfig(HttpConfig):
    """An account, with signed webhooks, and this gateway's callback address set as its address for reports and inbound messages."""

    account_key: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,32}$")] = Field(description="The API key, from the dashboard")
    api_secret: SecretStr = Field(min_length=1)
    signature_secret: SecretStr = Field(min_length=1, description="Webhooks have to be signed: nothing else shows that they are Vonage's")
    signature_method: Literal["md5hash", "md5", "sha1", "sha256", "sha512"] = "md5hash"
    base_url: BaseUrl = "https://rest.nexmo.com"


class VonageProvider(HttpProvider[VonageConfig]):
    """
    One POST a message, always answered 200: each part has a status, an id and reports of its own.

    `callback` takes 100 characters, too few for our URLs, so that reports come to the account's address and are known by our reference.
    """

    slug = "vonage"
    title = "Vonage SMS API"
    Config = VonageConfig
    capabilities = Capabilities(
        signed_callbacks=True, client_reference=True, part_ids=True, validity=True, inbound=True, balance=True, needs_sender=True
    )

    #: The status of a part. https://developer.vonage.com/messaging/sms/guides/troubleshooting-sms; the SDKs know the same.
    faults: ClassVar[dict[str, Fault]] = {
        "1": unavailable(throttled=True),
        "10": unavailable(throttled=True),  # too many binds
        "4": MISCONFIGURED,  # credentials
        "8": MISCONFIGURED,  # account barred
        "9": MISCONFIGURED,  # no credit
        "11": MISCONFIGURED,  # account not enabled for HTTP
        "14": MISCONFIGURED,  # signature
        "23": MISCONFIGURED,  # callback URL
        "32": MISCONFIGURED,  # signature and secret both
        "5": UNKNOWN,  # internal error
        "15": unsuitable(),
        "6": unsuitable("route.none_available", remembered=False),  # no route to that prefix
        "29": unsuitable("route.none_available", remembered=False),  # trial account: number not on its list
        "2": refused("content.blocked"),
        "3": refused("content.blocked"),
        "22": refused("content.blocked"),  # network code
        "7": refused("recipient.blocked"),
        "33": refused("recipient.invalid_number"),  # de-activated
        "12": refused("content.blocked"),
    }

    #: `err-code` in reports. https://developer.vonage.com/messaging/sms/guides/delivery-receipts
    report_codes: ClassVar[dict[str, str]] = {
        "3": "recipient.invalid_number",  # absent for good
        "4": "recipient.blocked",  # by the subscriber
        "6": "content.blocked",  # anti-spam
        _OPTED_OUT: "recipient.opted_out",  # "illegal number": the recipient has asked for no more of this service
        "10": "content.blocked",
        "11": "route.none_available",
        "13": "recipient.blocked",  # age restriction
        "14": "recipient.blocked",  # by the carrier
        "16": "provider.throttled",  # the gateway's quota
        "50": "sender.not_allowed",  # 50 to 54: what a country asks for, as India does: entity
        "51": "sender.not_allowed",  # header
        "52": "content.blocked",  # template
        "53": "recipient.blocked",  # no consent
        "54": "route.none_available",
    }

    statuses: ClassVar[dict[str, Status]] = {
        "accepted": Status.SENT,
        "buffered": Status.SENT,
        "delivered": Status.DELIVERED,
        "expired": Status.EXPIRED,
        "failed": Status.UNDELIVERED,
        "rejected": Status.UNDELIVERED,
        "unknown": Status.UNKNOWN,
    }

    def __init__(self, config: VonageConfig, *, account: str | None = None) -> None:
        super().__init__(config, account=account)
        credentials = base64.b64encode(f"{config.account_key}:{config.api_secret.get_secret_value()}".encode()).decode()
        self._url = f"{config.base_url}/sms/json"
        self._balance_url = f"{config.base_url}/account/get-balance"
        self._headers = {
            "Authorization": f"Basic {credentials}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }

    def request_for(self, sms: OutboundSms) -> HttpRequest:
        if sms.sender is None:
            raise UnsuitableError("no sender")
        fields = {
            "from": sms.sender.removeprefix("+"),
            "to": sms.to.removeprefix("+"),
            "text": sms.text,
            "type": "unicode" if sms.encoding is Encoding.UCS2 else "text",
            "ttl": str(max(MIN_VALIDITY, min(sms.validity, MAX_VALIDITY)) * 1000),
            "client-ref": sms.reference,
            "status-report-req": "1",
        }
        return HttpRequest(method="POST", url=self._url, headers=self._headers, body=form_body(fields))

    def accepted(self, answer: HttpAnswer) -> Accepted | None:
        parts = mappings(mapping(answer.json_object()).get("messages"))
        taken = [part for part in parts if word(part.get("status")) == "0"]
        if not taken:
            codes = [word(part.get("status")) for part in parts]
            if not codes or None in codes:
                return None
            unclear = next((code for code in codes if self.faults.get(code or "", UNKNOWN) is UNKNOWN), codes[0])
            raise self.refuse(answer, unclear or "", word(parts[0].get("error-text")) or "")
        ids = tuple(word(part.get("message-id")) or "" for part in taken)
        if not all(ids):
            return None
        refused_parts = ((index, part) for index, part in enumerate(parts, 1) if part not in taken)
        return Accepted(
            message_id=ids[0],
            provider_status="0",
            segments=len(parts),
            part_ids=ids,
            receipts=tuple(self._missing(ids[0], part, Part(index=index, total=len(parts))) for index, part in refused_parts),
        )

    def error_of(self, answer: HttpAnswer) -> tuple[str, str] | None:
        body = mapping(answer.json_object())
        for part in mappings(body.get("messages")):
            code = word(part.get("status"))
            return None if code is None else (code, word(part.get("error-text")) or "")
        title = word(body.get("title"))  # problem+json, from the gate before the API
        return None if title is None else (word(body.get("type")) or "", f"{title}: {word(body.get('detail')) or ''}")

    async def balance(self, exchange: Exchange) -> Balance:
        """https://developer.vonage.com/en/api/account, always in euros."""
        content = self.content(await exchange(HttpRequest(method="GET", url=self._balance_url, headers=self._headers)))
        return self.left(content, "value", currency="EUR")

    def verify(self, callback: Callback) -> Verification:
        """https://developer.vonage.com/en/getting-started/concepts/signing-messages"""
        fields = _fields(callback)
        given, stamp = (word(fields.get("sig")) or "").lower(), whole(fields.get("timestamp"))
        if stamp is None or not -MAX_AHEAD <= callback.received_at // 1000 - stamp <= MAX_AGE:
            return Verification.FORGED
        return Verification.SIGNED if hmac.compare_digest(self._signature(fields).encode(), given.encode()) else Verification.FORGED

    def read(self, callback: Callback) -> list[Receipt | Inbound]:
        fields = _fields(callback)
        message_id, status = word(fields.get("messageId")), word(fields.get("status"))
        if message_id is None:
            return []
        if status is None:
            return [_inbound(message_id, fields)] if word(fields.get("msisdn")) and word(fields.get("text")) else []
        code = word(fields.get("err-code"))
        found = self.statuses.get(status, Status.UNKNOWN)
        return [
            Receipt(
                status=found,
                message_id=message_id,
                reference=word(fields.get("client-ref")),
                code=None if found in {Status.SENT, Status.DELIVERED} else self._code(found, code),
                provider_status=status,
                provider_code=code,
                occurred_at=moment(fields.get("message-timestamp")),
                opted_out=found is Status.UNDELIVERED and code == _OPTED_OUT,
                recognised=status in self.statuses,
            )
        ]

    def _code(self, status: Status, code: str | None) -> str:
        return "validity.expired" if status is Status.EXPIRED else self.report_codes.get(code or "", "recipient.unreachable")

    def _missing(self, message_id: str, part: Mapping[str, object], which: Part) -> Receipt:
        """A part that was refused while others were taken: the text will not arrive whole."""
        code = word(part.get("status"))
        known = self.faults.get(code or "", UNKNOWN)
        return Receipt(status=Status.UNDELIVERED, message_id=message_id, code=known.code, provider_code=code, part=which)

    def _signature(self, fields: Mapping[str, object]) -> str:
        key = self.config.signature_secret.get_secret_value().encode()
        clean = {name: (word(value) or "").replace("&", "_").replace("=", "_") for name, value in fields.items() if name != "sig"}
        content = "".join(f"&{name}={clean[name]}" for name in sorted(clean)).encode("utf-8", "replace")
        if self.config.signature_method == "md5hash":
            return hashlib.md5(content + key, usedforsecurity=False).hexdigest()
        return hmac.digest(key, content, self.config.signature_method).hex()


def _fields(callback: Callback) -> Mapping[str, object]:
    """An account's webhooks come by GET, by POST of a form, or by POST of JSON, as it is set up."""
    return callback.query if callback.method == "GET" else callback.form or json_of(callback)


def _inbound(message_id: str, fields: Mapping[str, object]) -> Inbound:
    return Inbound(
        message_id=message_id,
        sender=international(word(fields.get("msisdn")) or ""),
        to=international(word(fields.get("to")) or ""),
        text=word(fields.get("text")) or "",
        received_at=moment(fields.get("message-timestamp")),
        part=part_of(whole(fields.get("concat-part")), whole(fields.get("concat-total"))),
        part_reference=word(fields.get("concat-ref")),
    )
