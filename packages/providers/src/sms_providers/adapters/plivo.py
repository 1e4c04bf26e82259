"""Plivo's Message API, by its documentation and Python SDK as of 2026-08."""

import base64
import hmac
import re
from typing import Annotated, ClassVar, Final, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from sms_contract.status import Status
from sms_providers.base import HttpProvider, json_body
from sms_providers.config import BaseUrl, HttpConfig
from sms_providers.errors import Fault, UnsuitableError, refused, unsuitable
from sms_providers.reading import international, mapping, moment, part_of, whole, word
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

MAX_CHARACTERS: Final = 1600
_PART = re.compile(r"(\d{1,3}) of (\d{1,3})")


class PlivoConfig(HttpConfig):
    """An account, with a number or a Powerpack for messages without a sender."""

    auth_id: Annotated[str, Field(pattern=r"^[A-Z0-9]{4,40}$", description="MA…, from the console's overview")]
    auth_token: SecretStr = Field(min_length=1)
    powerpack_uuid: Annotated[str, Field(pattern=r"^[0-9a-fA-F-]{36}$")] | None = None
    default_sender: str | None = Field(default=None, max_length=16)
    base_url: BaseUrl = "https://api.plivo.com"

    @model_validator(mode="after")
    def _one_default(self) -> Self:
        if self.powerpack_uuid is not None and self.default_sender is not None:
            raise ValueError("powerpack_uuid or default_sender, not both")
        return self


class PlivoProvider(HttpProvider[PlivoConfig]):
    """
    One POST a message. Errors come as words without codes; which of them is about the number only some say.

    Callbacks are signed by signature V2, which covers the URL without its query, and a nonce, but no body: who has seen one could write
    another to the same address. So the address has to stay secret, as it does for vendors that sign nothing.
    """

    slug = "plivo"
    title = "Plivo"
    Config = PlivoConfig
    capabilities = Capabilities(callback_per_message=True, signed_callbacks=True, inbound=True, balance=True, needs_sender=True)

    faults: ClassVar[dict[str, Fault]] = {
        "403": unsuitable("route.none_available"),  # region not enabled
        "invalid_number": refused("recipient.invalid_number"),
    }

    #: `ErrorCode` in reports: https://www.plivo.com/docs/messaging/troubleshooting/error-codes
    report_codes: ClassVar[dict[str, str]] = {
        "10": "content.blocked",  # not a valid message
        "20": "recipient.unreachable",  # network
        "30": "content.blocked",  # spam
        "40": "sender.not_allowed",
        "50": "recipient.invalid_number",
        "60": "content.blocked",  # a loop
        "70": "recipient.unreachable",  # permanently
        "80": "recipient.unreachable",  # for now
        "90": "recipient.unreachable",  # for now
        "100": "route.none_available",
        "110": "content.blocked",
        "200": "recipient.opted_out",
        "201": "sender.not_allowed",
        "300": "provider.unavailable",
        "420": "validity.expired",
        "450": "route.none_available",
        "900": "provider.misconfigured",  # no credit
        "910": "provider.misconfigured",  # account disabled
    }

    statuses: ClassVar[dict[str, Status]] = {
        "queued": Status.SENT,
        "sent": Status.SENT,
        "delivered": Status.DELIVERED,
        "read": Status.DELIVERED,
        "undelivered": Status.UNDELIVERED,
        "failed": Status.UNDELIVERED,
        "rejected": Status.UNDELIVERED,
    }

    def __init__(self, config: PlivoConfig, *, account: str | None = None) -> None:
        super().__init__(config, account=account)
        self._token = config.auth_token.get_secret_value().encode()
        credentials = base64.b64encode(f"{config.auth_id}:{config.auth_token.get_secret_value()}".encode()).decode()
        self._account_url = f"{config.base_url}/v1/Account/{config.auth_id}/"
        self._url = f"{self._account_url}Message/"
        self._headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json", "Accept": "application/json"}

    def request_for(self, sms: OutboundSms) -> HttpRequest:
        if len(sms.text) > MAX_CHARACTERS:
            raise UnsuitableError(f"more than {MAX_CHARACTERS} characters", code="content.blocked")
        content: dict[str, object] = {"dst": sms.to.removeprefix("+"), "text": sms.text}
        sender = sms.sender or self.config.default_sender
        if sender is not None:
            content["src"] = sender.removeprefix("+")
        elif self.config.powerpack_uuid is not None:
            content["powerpack_uuid"] = self.config.powerpack_uuid
        else:
            raise UnsuitableError("neither a sender nor a Powerpack")
        if sms.callback_url is not None:
            content |= {"url": sms.callback_url, "method": "POST"}
        return HttpRequest(method="POST", url=self._url, headers=self._headers, body=json_body(content))

    def accepted(self, answer: HttpAnswer) -> Accepted | None:
        content = answer.json_object() or {}
        ids = content.get("message_uuid")
        if isinstance(ids, list) and len(ids) == 1 and isinstance(ids[0], str):
            return Accepted(message_id=ids[0], provider_status="queued")
        if not ids and content.get("invalid_number"):
            raise self.refuse(answer, "invalid_number")
        return None

    def error_of(self, answer: HttpAnswer) -> tuple[str, str] | None:
        content = answer.json_object() or {}
        error = content.get("error")
        if word(content.get("api_id")) is None or error is None:
            return None
        return str(answer.status), error if isinstance(error, str) else word(mapping(error).get("error")) or ""

    async def balance(self, exchange: Exchange) -> Balance:
        """https://www.plivo.com/docs/account/api/account: the account's own resource, in US dollars."""
        content = self.content(await exchange(HttpRequest(method="GET", url=self._account_url, headers=self._headers)))
        return self.left(content, "cash_credits", currency="USD")

    def verify(self, callback: Callback) -> Verification:
        """https://www.plivo.com/docs/messaging/concepts/signature-validation: the main account's signature counts as well."""
        signed = urlsplit(callback.url)._replace(query="", fragment="").geturl()
        nonce = callback.headers.get("x-plivo-signature-v2-nonce", "")
        right = base64.b64encode(hmac.digest(self._token, (signed + nonce).encode(), "sha256"))
        given = (callback.headers.get(name, "") for name in ("x-plivo-signature-v2", "x-plivo-signature-ma-v2"))
        matches = [hmac.compare_digest(right, each.strip().encode()) for header in given for each in header.split(",")]
        return Verification.SIGNED if nonce and any(matches) else Verification.FORGED

    def read(self, callback: Callback) -> list[Receipt | Inbound]:
        fields = {name.lower(): value for name, value in {**callback.query, **callback.form}.items()}
        message_id, status = fields.get("parentmessageuuid") or fields.get("messageuuid"), fields.get("status")
        if not message_id:
            return []
        if not status:
            return [_inbound(message_id, fields)] if "text" in fields else []
        known, code = self.statuses.get(status, Status.UNKNOWN), fields.get("errorcode") or None
        arrived = known in {Status.SENT, Status.DELIVERED}
        if known is Status.UNDELIVERED and code == "420":
            known = Status.EXPIRED
        part = _PART.fullmatch(fields.get("partinfo", ""))
        return [
            Receipt(
                status=known,
                message_id=message_id,
                code=None if arrived else self.report_codes.get(code or "", "recipient.unreachable"),
                provider_status=status,
                provider_code=None if code == "000" else code,
                part=None if part is None or part[2] == "1" else part_of(int(part[1]), int(part[2])),
                occurred_at=moment(fields.get("deliveryreporttime")),
                opted_out=code == "200",
                recognised=status in self.statuses,
            )
        ]


def _inbound(message_id: str, fields: dict[str, str]) -> Inbound:
    return Inbound(
        message_id=message_id,
        sender=international(fields.get("from", "")),
        to=international(fields.get("to", "")),
        text=fields["text"],
        segments=whole(fields.get("units")) or 1,
    )
