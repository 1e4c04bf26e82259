"""The built-in provider of test mode: no network, no vendor, five magic numbers."""

from typing import ClassVar, Final

import msgspec

from sms_contract.status import Status
from sms_providers.base import HttpProvider
from sms_providers.config import ProviderConfig
from sms_providers.errors import Fault, UnknownOutcomeError, refused, unavailable
from sms_providers.types import Accepted, Capabilities, HttpAnswer, HttpRequest, OutboundSms, Receipt, Reports

DELIVERED: Final = "+15005550006"
UNDELIVERED: Final = "+15005550009"
INVALID: Final = "+15005550001"
TRANSIENT: Final = "+15005550008"
SILENT: Final = "+15005550007"

_FAILURES = 2


class TestConfig(ProviderConfig):
    """Nothing to configure."""

    __test__ = False


class TestProvider(HttpProvider[TestConfig]):
    """Its requests are answered in the process; reports come with the answer."""

    __test__ = False

    slug = "test"
    title = "Test mode"
    Config = TestConfig
    capabilities = Capabilities(reports=Reports.PUSHED, client_reference=True, validity=True)
    faults: ClassVar[dict[str, Fault]] = {
        "invalid_number": refused("recipient.invalid_number"),
        "busy": unavailable(),
    }

    def request_for(self, sms: OutboundSms) -> HttpRequest:
        return HttpRequest(method="POST", url="test://in-process/messages", in_process=lambda: _answer(sms))

    def error_of(self, answer: HttpAnswer) -> tuple[str, str] | None:
        error = answer.json_object() or {}
        code = error.get("error")
        return (code, code) if isinstance(code, str) else None

    def accepted(self, answer: HttpAnswer) -> Accepted | None:
        body = answer.json_object() or {}
        message_id, status = str(body["id"]), Status(str(body["status"]))
        code = None if status is Status.DELIVERED else "recipient.unreachable"
        receipt = Receipt(status=status, message_id=message_id, code=code, provider_status=status.value)
        return Accepted(message_id=message_id, provider_status="accepted", receipts=(receipt,))


def _answer(sms: OutboundSms) -> HttpAnswer:
    if sms.to == SILENT:
        raise UnknownOutcomeError("this number is never answered")
    if sms.to == INVALID:
        return _json(400, {"error": "invalid_number"})
    if sms.to == TRANSIENT and sms.attempt <= _FAILURES:
        return _json(503, {"error": "busy"})
    status = Status.UNDELIVERED if sms.to == UNDELIVERED else Status.DELIVERED
    return _json(201, {"id": f"test-{sms.tracking_id}-{sms.attempt}", "status": status})


def _json(status: int, body: dict[str, str]) -> HttpAnswer:
    return HttpAnswer(status=status, body=msgspec.json.encode(body), headers={"content-type": "application/json"})
