"""Telnyx Messaging v2, by its OpenAPI description and Python SDK as of 2026-08."""

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, ClassVar, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import AfterValidator, Field, SecretStr

from sms_contract.segments import Encoding
from sms_contract.status import Status
from sms_providers.base import HttpProvider, json_body
from sms_providers.config import BaseUrl, HttpConfig
from sms_providers.errors import MISCONFIGURED, Fault, UnsuitableError, refused, unavailable, unsuitable
from sms_providers.reading import json_of, mapping, mappings, moment, whole, word
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

#: Seconds by which a callback's time stamp may differ from its arrival.
TOLERANCE: Final = 300


def _public_key(value: str) -> str:
    try:
        Ed25519PublicKey.from_public_bytes(base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError):
        raise ValueError("must be 32 bytes in base64") from None
    return value


class TelnyxConfig(HttpConfig):
    """An account; messages without a sender go out through the messaging profile, if there is one."""

    api_key: SecretStr = Field(min_length=1, description="KEY…")
    public_key: Annotated[str, AfterValidator(_public_key)] = Field(description="Of the account, from the portal: checks its webhooks")
    messaging_profile_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")] | None = Field(
        default=None, description="For names as senders, and for messages without one"
    )
    base_url: BaseUrl = "https://api.telnyx.com"


class TelnyxProvider(HttpProvider[TelnyxConfig]):
    """One POST a message; every callback is signed; neither our reference nor a validity can be given."""

    slug = "telnyx"
    title = "Telnyx"
    Config = TelnyxConfig
    capabilities = Capabilities(callback_per_message=True, signed_callbacks=True, inbound=True, balance=True, needs_sender=True)

    #: https://developers.telnyx.com/docs/messaging/messages/error-codes
    faults: ClassVar[dict[str, Fault]] = {
        "10011": unavailable(throttled=True),
        "40318": unavailable(throttled=True),  # queue full
        "10009": MISCONFIGURED,  # authentication
        "10010": MISCONFIGURED,  # authorization
        "20013": MISCONFIGURED,
        "20100": MISCONFIGURED,  # funds
        "40312": MISCONFIGURED,  # messaging profile disabled
        "40314": MISCONFIGURED,  # account disabled
        "40333": MISCONFIGURED,  # spending limit
        "40305": unsuitable(),  # not a possible sender
        "40306": unsuitable(),  # no alphanumeric senders
        "40308": unsuitable(),
        "40315": unsuitable(),
        "40320": unsuitable(),  # sender not usable now
        "40321": unsuitable(),  # no usable sender in the profile
        "40329": unsuitable(),  # toll-free, not verified
        "40330": unsuitable(),  # toll-free, not provisioned
        "40309": unsuitable("route.none_available"),  # region
        "40331": unsuitable("route.none_available"),  # destination not on the profile's list
        "10002": refused("recipient.invalid_number"),
        "40310": refused("recipient.invalid_number"),
        "40300": refused("recipient.opted_out", opted_out=True),
        "40301": refused("recipient.invalid_number"),
        "40319": refused("recipient.invalid_number"),  # cannot take this kind of message
        "40322": refused("content.blocked"),
    }

    #: Codes in reports.
    report_codes: ClassVar[dict[str, str]] = {
        "40001": "recipient.invalid_number",  # landline, not routable
        "40002": "content.blocked",  # spam, for now
        "40003": "content.blocked",
        "40004": "recipient.blocked",
        "40005": "validity.expired",
        "40006": "recipient.unreachable",
        "40007": "content.blocked",  # loop
        "40008": "recipient.unreachable",
        "40009": "content.blocked",
        "40011": "provider.throttled",
        "40012": "recipient.invalid_number",
        "40013": "sender.not_allowed",
        "40014": "validity.expired",
        "40015": "content.blocked",
        "40300": "recipient.opted_out",
    }

    statuses: ClassVar[dict[str, Status]] = {
        "queued": Status.SENT,
        "sending": Status.SENT,
        "sent": Status.SENT,
        "delivered": Status.DELIVERED,
        "read": Status.DELIVERED,
        "expired": Status.EXPIRED,
        "sending_failed": Status.UNDELIVERED,
        "delivery_failed": Status.UNDELIVERED,
        "delivery_unconfirmed": Status.UNKNOWN,
    }

    def __init__(self, config: TelnyxConfig, *, account: str | None = None) -> None:
        super().__init__(config, account=account)
        self._key = Ed25519PublicKey.from_public_bytes(base64.b64decode(config.public_key))
        self._url = f"{config.base_url}/v2/messages"
        self._balance_url = f"{config.base_url}/v2/balance"
        self._headers = {
            "Authorization": f"Bearer {config.api_key.get_secret_value()}",
            "Content-Type": "application/json",
            "Accept": "application/json",
        }

    def request_for(self, sms: OutboundSms) -> HttpRequest:
        content: dict[str, object] = {
            "to": sms.to,
            "text": sms.text,
            "type": "SMS",
            "encoding": "ucs2" if sms.encoding is Encoding.UCS2 else "gsm7",
        }
        if sms.sender is not None:
            content["from"] = sms.sender
        if self.config.messaging_profile_id is not None:
            content["messaging_profile_id"] = self.config.messaging_profile_id
        elif sms.sender is None:
            raise UnsuitableError("neither a sender nor a messaging profile")
        if sms.callback_url is not None:
            content |= {"webhook_url": sms.callback_url, "use_profile_webhooks": False}
        return HttpRequest(method="POST", url=self._url, headers=self._headers, body=json_body(content))

    def accepted(self, answer: HttpAnswer) -> Accepted | None:
        message = mapping(mapping(answer.json_object()).get("data"))
        message_id = word(message.get("id"))
        if message_id is None or message.get("record_type") != "message":
            return None
        receipt = self._receipt(message, None)
        return Accepted(
            message_id=message_id,
            provider_status=receipt.provider_status,
            segments=whole(message.get("parts")),
            receipts=() if receipt.status in {Status.SENT, Status.UNKNOWN} else (receipt,),
        )

    def error_of(self, answer: HttpAnswer) -> tuple[str, str] | None:
        for error in mappings(mapping(answer.json_object()).get("errors")):
            code = word(error.get("code"))
            return None if code is None else (code, word(error.get("detail")) or word(error.get("title")) or "")
        return None

    async def balance(self, exchange: Exchange) -> Balance:
        """https://developers.telnyx.com/api-reference/billing: what can be spent, an agreed credit included."""
        data = mapping(self.content(await exchange(HttpRequest(method="GET", url=self._balance_url, headers=self._headers))).get("data"))
        return self.left(data, "available_credit", currency=data.get("currency"))

    def verify(self, callback: Callback) -> Verification:
        """https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks"""
        stamp = callback.headers.get("telnyx-timestamp", "")
        sent = whole(stamp)
        if sent is None or abs(callback.received_at // 1000 - sent) > TOLERANCE:
            return Verification.FORGED
        try:
            signature = base64.b64decode(callback.headers.get("telnyx-signature-ed25519", ""), validate=True)
            self._key.verify(signature, f"{stamp}|".encode() + callback.body)
        except (binascii.Error, ValueError, InvalidSignature):
            return Verification.FORGED
        return Verification.SIGNED

    def read(self, callback: Callback) -> list[Receipt | Inbound]:
        data = mapping(json_of(callback).get("data"))
        event, message = word(data.get("event_type")), mapping(data.get("payload"))
        if not word(message.get("id")):
            return []
        if event == "message.received":
            return [_inbound(message)]
        if event not in {"message.sent", "message.finalized"}:
            return []
        return [self._receipt(message, moment(data.get("occurred_at")))]

    def _receipt(self, message: Mapping[str, object], occurred_at: int | None) -> Receipt:
        recipients, errors = mappings(message.get("to")), mappings(message.get("errors"))
        status = word(recipients[0].get("status")) if recipients else None
        code = word(errors[0].get("code")) if errors else None
        found = self.statuses.get(status or "", Status.UNKNOWN)
        if found is Status.UNDELIVERED and self.report_codes.get(code or "") == "validity.expired":
            found = Status.EXPIRED
        default = "validity.expired" if found is Status.EXPIRED else "recipient.unreachable"
        return Receipt(
            status=found,
            message_id=word(message.get("id")),
            code=None if found in {Status.SENT, Status.DELIVERED} else self.report_codes.get(code or "", default),
            provider_status=status,
            provider_code=code,
            occurred_at=occurred_at,
            opted_out=code == "40300",
            recognised=status in self.statuses,
        )


def _inbound(message: Mapping[str, object]) -> Inbound:
    recipients = mappings(message.get("to"))
    return Inbound(
        message_id=word(message.get("id")) or "",
        sender=word(mapping(message.get("from")).get("phone_number")) or "",
        to=(word(recipients[0].get("phone_number")) if recipients else None) or "",
        text=word(message.get("text")) or "",
        segments=whole(message.get("parts")) or 1,
        received_at=moment(message.get("received_at")),
    )
