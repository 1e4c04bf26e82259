"""A vendor without code: its HTTP API described by configuration, with `{name}` placeholders and JSON pointers."""

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, Final

import msgspec

from sms_contract.status import Status
from sms_providers import templates
from sms_providers.base import HttpProvider
from sms_providers.description import GenericConfig, revealed, split
from sms_providers.errors import Fault, UnsuitableError
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
    Reports,
)

_TYPES: Final = {"json": "application/json", "form": "application/x-www-form-urlencoded"}
_ESCAPES: Final[dict[str, Callable[[str], str]]] = {"json": templates.for_json, "form": templates.for_form}


class GenericProvider(HttpProvider[GenericConfig]):
    """What an account can do depends on its configuration: each instance has `capabilities` of its own."""

    slug = "generic"
    title = "Any HTTP API, by configuration"
    Config = GenericConfig
    capabilities = Capabilities(callback_per_message=True, client_reference=True, deduplicates=True, validity=True)
    words: ClassVar[dict[str, Status]] = {
        "delivered_words": Status.DELIVERED,
        "sent_words": Status.SENT,
        "undelivered_words": Status.UNDELIVERED,
        "expired_words": Status.EXPIRED,
    }

    def __init__(self, config: GenericConfig, *, account: str | None = None) -> None:
        super().__init__(config, account=account)
        used = config.used
        self.capabilities = Capabilities(
            reports=Reports.PUSHED if config.report_status and "callback_url" in used else Reports.NONE,
            callback_per_message="callback_url" in used,
            client_reference=bool(used & {"reference", "tracking_id"}),
            deduplicates=config.deduplicates,
            validity=bool(used & {"validity", "validity_minutes"}),
            needs_sender="sender" in used and not config.default_sender,
        )
        self._faults = config.faults()
        self._accepted = split(config.accepted_codes)
        self._statuses = {word: status for field, status in self.words.items() for word in split(getattr(config, field))}
        self._constant = {
            "username": config.username,
            "password": revealed(config.password),
            "token": revealed(config.token),
        }
        self._headers = {"Accept": "application/json"} | _authorization(config)
        if config.body_format != "none":
            self._headers["Content-Type"] = _TYPES[config.body_format]

    def fault(self, code: str) -> Fault | None:
        return self._faults.get(code)

    async def send(self, sms: OutboundSms, exchange: Exchange) -> Accepted:
        accepted = await super().send(sms, exchange)
        return accepted if self.config.message_id else replace(accepted, message_id=sms.reference)

    def request_for(self, sms: OutboundSms) -> HttpRequest:
        if self.capabilities.needs_sender and sms.sender is None:
            raise UnsuitableError("without a sender")
        config, values = self.config, self._constant | _values(sms, config=self.config)
        headers = dict(self._headers)
        for line in filter(str.strip, config.headers.splitlines()):
            name, _, value = line.strip().partition(":")
            headers[name] = templates.fill(value.strip(), values, templates.for_header)
        body = templates.fill(config.body, values, _ESCAPES[config.body_format]).encode() if config.body else b""
        url = config.base_url + templates.fill(config.path, values, templates.for_url)
        return HttpRequest(method=config.method, url=url, headers=headers, body=body)

    def accepted(self, answer: HttpAnswer) -> Accepted | None:
        document = msgspec.json.decode(answer.body)
        code = templates.at(document, self.config.code) if self.config.code else None
        listed = code in self._accepted
        if code is not None and not listed and (self._accepted or self.fault(code) is not None):
            raise self.refuse(answer, code)
        if self._accepted and not listed:
            return None
        message_id = templates.at(document, self.config.message_id) if self.config.message_id else "ours"
        return None if message_id is None else Accepted(message_id=message_id, provider_status=code)

    def error_of(self, answer: HttpAnswer) -> tuple[str, str] | None:
        code = templates.at(answer.json_object(), self.config.code) if self.config.code else None
        by_status = f"http:{answer.status}"
        if by_status in self._faults and (code is None or self.fault(code) is None):
            return by_status, code or ""
        return None if code is None else (code, code)

    def read(self, callback: Callback) -> list[Receipt | Inbound]:
        if not self.config.report_status:
            return []
        said = {**callback.query, **callback.form, **(callback.json_object() or {})}
        word = templates.at(said, self.config.report_status)
        if word is None:
            return []
        status = self._statuses.get(word, Status.UNKNOWN)
        arrived = status in {Status.SENT, Status.DELIVERED}
        return [
            Receipt(
                status=status,
                message_id=templates.at(said, self.config.report_id),
                code=None if arrived else "recipient.unreachable",
                provider_status=word,
                provider_code=templates.at(said, self.config.report_code),
                recognised=word in self._statuses,
            )
        ]


def _values(sms: OutboundSms, *, config: GenericConfig) -> dict[str, str]:
    return {
        "to": sms.to,
        "to_digits": sms.to.removeprefix("+"),
        "text": sms.text,
        "sender": sms.sender or config.default_sender,
        "reference": sms.reference,
        "tracking_id": sms.tracking_id,
        "attempt": str(sms.attempt),
        "callback_url": sms.callback_url or "",
        "validity": str(sms.validity),
        "validity_minutes": str(max(1, sms.validity // 60)),
        "segments": str(sms.segments),
        "encoding": sms.encoding.value,
        "traffic_type": sms.traffic_type.value,
    }


def _authorization(config: GenericConfig) -> dict[str, str]:
    if config.authentication == "bearer":
        return {"Authorization": f"Bearer {templates.for_header(revealed(config.token))}"}
    if config.authentication == "basic":
        pair = f"{config.username}:{revealed(config.password)}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}
