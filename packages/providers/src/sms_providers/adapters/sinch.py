"""Sinch SMS (XMS), by its Python SDK and API reference as of 2026-08."""

import base64
import hmac
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Final
from urllib.parse import quote

from pydantic import Field, SecretStr

from sms_contract.status import Status
from sms_providers.base import HttpProvider, json_body
from sms_providers.config import BaseUrl, HttpConfig
from sms_providers.errors import MISCONFIGURED, Fault, UnknownOutcomeError, UnsuitableError, refused
from sms_providers.reading import international, json_of, mapping, mappings, moment, whole, word
from sms_providers.types import (
    Accepted,
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

#: Seconds. What may live longer ends there after these three days all the same.
MAX_VALIDITY: Final = 259200
MAX_CHARACTERS: Final = 2000


class SinchConfig(HttpConfig):
    """A service plan; `base_url` names its region."""

    service_plan_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    api_token: SecretStr = Field(min_length=1)
    webhook_secret: SecretStr | None = Field(default=None, description="Set it where Sinch has switched signed callbacks on")
    base_url: BaseUrl = "https://us.sms.api.sinch.com"


class SinchProvider(HttpProvider[SinchConfig]):
    """A batch of one recipient a message; found again by our reference, for a day."""

    slug = "sinch"
    title = "Sinch SMS"
    Config = SinchConfig
    capabilities = Capabilities(
        callback_per_message=True, signed_callbacks=True, client_reference=True, look_up=True, validity=True, inbound=True
    )

    faults: ClassVar[dict[str, Fault]] = {
        "blocked_account": MISCONFIGURED,
        "missing_callback_url": MISCONFIGURED,
        "syntax_invalid_json": refused("content.blocked"),
        "syntax_invalid_parameter_format": refused("content.blocked"),
        "syntax_constraint_violation": refused("content.blocked"),
    }

    #: `code` in reports; what is not here is the operator's own.
    report_codes: ClassVar[dict[str, str]] = {
        "402": "route.none_available",
        "404": "recipient.unreachable",
        "405": "content.blocked",  # a parameter of the text without a value
        "406": "validity.expired",
        "408": "content.blocked",
        "410": "sender.not_allowed",  # no default originator
        "411": "content.blocked",
        "412": "route.none_available",  # region not provisioned
        "413": "provider.misconfigured",  # account blocked
        "414": "content.blocked",
    }

    #: In lower case: the reference writes "Delivered", the SDK "DELIVERED".
    statuses: ClassVar[dict[str, Status]] = {
        "queued": Status.SENT,
        "dispatched": Status.SENT,
        "delivered": Status.DELIVERED,
        "failed": Status.UNDELIVERED,
        "rejected": Status.UNDELIVERED,
        "aborted": Status.UNDELIVERED,
        "expired": Status.EXPIRED,
        "cancelled": Status.CANCELED,
        "deleted": Status.CANCELED,
        "unknown": Status.UNKNOWN,
    }

    busy_is_clear = False

    def __init__(self, config: SinchConfig, *, account: str | None = None) -> None:
        super().__init__(config, account=account)
        self._url = f"{config.base_url}/xms/v1/{config.service_plan_id}/batches"
        self._headers = {"Authorization": f"Bearer {config.api_token.get_secret_value()}", "Accept": "application/json"}
        self._post_headers = {**self._headers, "Content-Type": "application/json"}

    def request_for(self, sms: OutboundSms) -> HttpRequest:
        if len(sms.text) > MAX_CHARACTERS:
            raise UnsuitableError(f"more than {MAX_CHARACTERS} characters", code="content.blocked")
        end = datetime.fromtimestamp(int(time.time()) + max(1, min(sms.validity, MAX_VALIDITY)), UTC)
        content: dict[str, object] = {
            "to": [sms.to],
            "type": "mt_text",
            "body": sms.text,
            "client_reference": sms.reference,
            "expire_at": end.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        }
        if sms.sender is not None:
            content["from"] = sms.sender
        if sms.callback_url is not None:
            content |= {"delivery_report": "per_recipient", "callback_url": sms.callback_url}
        return HttpRequest(method="POST", url=self._url, headers=self._post_headers, body=json_body(content))

    def accepted(self, answer: HttpAnswer) -> Accepted | None:
        return _batch(mapping(answer.json_object()))

    def error_of(self, answer: HttpAnswer) -> tuple[str, str] | None:
        body = mapping(answer.json_object())
        code = word(body.get("code"))
        return None if code is None else (code, word(body.get("text")) or "")

    async def look_up(self, reference: str, exchange: Exchange) -> Accepted | None:
        url = f"{self._url}?client_reference={quote(reference, safe='')}"
        content = self.content(await exchange(HttpRequest(method="GET", url=url, headers=self._headers)))
        batches = content.get("batches")
        if not isinstance(batches, list):
            raise UnknownOutcomeError("a list without batches")
        found = [batch for batch in mappings(batches) if batch.get("client_reference") == reference]
        if not found:
            if batches or whole(content.get("count")):
                raise UnknownOutcomeError("a list of other batches")
            return None
        accepted = _batch(found[0])
        if accepted is None:
            raise UnknownOutcomeError("a batch without an id")
        return accepted

    def verify(self, callback: Callback) -> Verification:
        """https://developers.sinch.com/docs/sms/api-reference/sms/webhooks"""
        if self.config.webhook_secret is None:
            return Verification.UNSIGNED
        headers, prefix = callback.headers, "x-sinch-webhook-signature"
        tail = f".{headers.get(f'{prefix}-nonce', '')}.{headers.get(f'{prefix}-timestamp', '')}".encode()
        expected = base64.b64encode(hmac.digest(self.config.webhook_secret.get_secret_value().encode(), callback.body + tail, "sha256"))
        given = headers.get(prefix, "").encode()
        return Verification.SIGNED if hmac.compare_digest(expected, given) else Verification.FORGED

    def read(self, callback: Callback) -> list[Receipt | Inbound]:
        body = json_of(callback)
        batch_id = word(body.get("batch_id"))
        match body.get("type"):
            case "mo_text" if word(body.get("id")):
                return [_inbound(body)]
            case "recipient_delivery_report_sms" if batch_id:
                return [self._receipt(body, body)]
            case "delivery_report_sms" if batch_id:
                return [self._receipt(body, status) for status in mappings(body.get("statuses"))]
        return []

    def _receipt(self, report: Mapping[str, object], part: Mapping[str, object]) -> Receipt:
        status, code = word(part.get("status")), word(part.get("code"))
        known = (status or "").lower()
        found = self.statuses.get(known, Status.UNKNOWN)
        default = "validity.expired" if found is Status.EXPIRED else "recipient.unreachable"
        return Receipt(
            status=found,
            message_id=word(report.get("batch_id")),
            reference=word(report.get("client_reference")),
            code=None if found in {Status.SENT, Status.DELIVERED} else self.report_codes.get(code or "", default),
            provider_status=status,
            provider_code=code,
            occurred_at=moment(report.get("operator_status_at")) or moment(report.get("at")),
            recognised=known in self.statuses,
        )


def _batch(batch: Mapping[str, object]) -> Accepted | None:
    batch_id = word(batch.get("id"))
    if batch_id is None:
        return None
    canceled = Receipt(status=Status.CANCELED, message_id=batch_id, code="recipient.unreachable", provider_status="canceled")
    return Accepted(message_id=batch_id, receipts=(canceled,) if batch.get("canceled") is True else ())


def _inbound(body: Mapping[str, object]) -> Inbound:
    return Inbound(
        message_id=word(body.get("id")) or "",
        sender=international(word(body.get("from")) or ""),
        to=international(word(body.get("to")) or ""),
        text=word(body.get("body")) or "",
        received_at=moment(body.get("received_at")),
    )
