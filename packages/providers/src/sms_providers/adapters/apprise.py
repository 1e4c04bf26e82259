"""
Whatever else Apprise can send SMS by (https://github.com/caronc/apprise/wiki): about thirty services, by its URLs. An extra.

It answers yes or no and nothing else. So a yes is "accepted", with our own id and without any report ever; and a no, which may be a
refusal as well as a connection that broke in the middle, is unknown. Where a service has an adapter of its own, that one knows more.
"""

import logging
from functools import partial
from typing import Annotated, ClassVar, Final
from urllib.parse import quote

import apprise
import msgspec
from pydantic import AfterValidator, Field, SecretStr

from sms_providers import templates
from sms_providers.base import HttpProvider
from sms_providers.config import ProviderConfig
from sms_providers.errors import Fault, UnsuitableError, unsuitable
from sms_providers.types import Accepted, Capabilities, HttpAnswer, HttpRequest, OutboundSms, Reports

_NAMES: Final = frozenset({"to", "to_digits", "sender"})
_SAMPLE: Final = {"to": "+447911123456", "to_digits": "447911123456", "sender": "15551234567"}
#: Their lines hold numbers, and URLs with keys.
for _name in ("apprise", "urllib3.connectionpool"):
    logging.getLogger(_name).disabled = True


def _url(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    if templates.names(url) - _NAMES or not templates.names(url) & {"to", "to_digits"}:
        raise ValueError("needs {to} or {to_digits}, may have {sender}, and knows no other placeholder")
    if apprise.Apprise.instantiate(templates.fill(url, _SAMPLE, _quoted)) is None:
        raise ValueError("is no URL that Apprise understands")
    return value


class AppriseConfig(ProviderConfig):
    """A service, as Apprise's URL for it."""

    url: Annotated[SecretStr, AfterValidator(_url)] = Field(description="With its keys: clickatell://KEY/{to_digits}")


class AppriseProvider(HttpProvider[AppriseConfig]):
    """Each message is one notification, sent in a thread."""

    slug = "apprise"
    title = "Any SMS service that Apprise knows"
    Config = AppriseConfig
    capabilities = Capabilities(reports=Reports.NONE)
    #: Found out before anything was sent.
    faults: ClassVar[dict[str, Fault]] = {"not_understood": unsuitable("route.none_available", remembered=False)}

    def request_for(self, sms: OutboundSms) -> HttpRequest:
        template = self.config.url.get_secret_value()
        if sms.sender is None and "sender" in templates.names(template):
            raise UnsuitableError("without a sender")
        sms.text.encode()
        values = {"to": sms.to, "to_digits": sms.to.removeprefix("+"), "sender": sms.sender or ""}
        call = partial(_notify, templates.fill(template, values, _quoted), sms.text, sms.reference)
        return HttpRequest(method="POST", url="apprise://in-thread", in_thread=call)

    def accepted(self, answer: HttpAnswer) -> Accepted | None:
        content = answer.json_object() or {}
        return Accepted(message_id=str(content["id"])) if content.get("ok") is True else None

    def error_of(self, answer: HttpAnswer) -> tuple[str, str] | None:
        code = (answer.json_object() or {}).get("error")
        return (code, "") if isinstance(code, str) else None


def _quoted(value: str) -> str:
    return quote(value, safe="+")


def _notify(url: str, text: str, reference: str) -> HttpAnswer:
    service = apprise.Apprise.instantiate(url)
    if service is None:
        return HttpAnswer(status=400, body=b'{"error":"not_understood"}')
    sender = apprise.Apprise()
    sender.add(service)
    ok = bool(sender.notify(body=text, body_format=apprise.NotifyFormat.TEXT))
    return HttpAnswer(status=200 if ok else 500, body=msgspec.json.encode({"ok": ok, "id": reference}))
