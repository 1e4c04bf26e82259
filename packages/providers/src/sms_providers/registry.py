"""Every adapter there is, by name, in plain sight."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from pydantic import ValidationError

from sms_providers.adapters.generic import GenericProvider
from sms_providers.adapters.infobip import InfobipProvider
from sms_providers.adapters.kannel import KannelProvider
from sms_providers.adapters.kavenegar import KavenegarProvider
from sms_providers.adapters.magfa import MagfaProvider
from sms_providers.adapters.plivo import PlivoProvider
from sms_providers.adapters.sinch import SinchProvider
from sms_providers.adapters.sns import SnsProvider
from sms_providers.adapters.telnyx import TelnyxProvider
from sms_providers.adapters.test import TestProvider
from sms_providers.adapters.twilio import TwilioProvider
from sms_providers.adapters.vonage import VonageProvider
from sms_providers.base import Provider

_ALL: tuple[type[Provider[Any]], ...] = (
    TestProvider,
    TwilioProvider,
    VonageProvider,
    TelnyxProvider,
    InfobipProvider,
    SinchProvider,
    GenericProvider,
    KavenegarProvider,
    MagfaProvider,
    PlivoProvider,
    SnsProvider,
    KannelProvider,
)
if find_spec("apprise") is not None:  # an extra of this package
    from sms_providers.adapters.apprise import AppriseProvider

    _ALL += (AppriseProvider,)
ADAPTERS: dict[str, type[Provider[Any]]] = {adapter.slug: adapter for adapter in _ALL}


class ConfigError(ValueError):
    """A configuration that its adapter's schema refuses; `problems` hold (field, reason) and never a value."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{field}: {reason}" if field else reason for field, reason in problems))
        self.problems = problems


def build(slug: str, config: Mapping[str, object], *, account: str | None = None) -> Provider[Any]:
    """A provider account, ready to send. Raises `KeyError` for an adapter that there is not, `ConfigError` for its configuration."""
    adapter = ADAPTERS[slug]
    try:
        return adapter(adapter.Config.model_validate(dict(config)), account=account)
    except ValidationError as error:
        problems = [
            (".".join(map(str, e["loc"])), e["msg"]) for e in error.errors(include_input=False, include_context=False, include_url=False)
        ]
        raise ConfigError(problems) from None


def schema(slug: str) -> dict[str, Any]:
    """The JSON schema of an adapter's configuration; secrets have `writeOnly`."""
    return ADAPTERS[slug].Config.model_json_schema()
