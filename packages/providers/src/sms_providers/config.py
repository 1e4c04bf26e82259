"""What an adapter's configuration is made of; consoles make their forms from it."""

from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr


class ProviderConfig(BaseModel):
    """The base of every configuration. Values never show in validation errors, because a mistyped field may hold a secret."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, str_strip_whitespace=True)

    @classmethod
    def secret_fields(cls) -> frozenset[str]:
        """Names of the fields that are write-only in every form."""
        return frozenset(name for name, field in cls.model_fields.items() if "SecretStr" in str(field.annotation))

    def secrets(self) -> list[str]:
        """Every secret value: what redaction replaces."""
        values = (getattr(self, name) for name in type(self).secret_fields())
        return [value.get_secret_value() for value in values if isinstance(value, SecretStr) and value.get_secret_value()]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise ValueError("must be an absolute https URL")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must hold neither credentials nor a query")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError("must be https; http is for loopback only")
    _ = parts.port  # raises where it is no number
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


#: A vendor's address, without a trailing slash: https, or http to loopback.
BaseUrl = Annotated[str, AfterValidator(_origin), Field(max_length=2048, json_schema_extra={"format": "uri"})]


class HttpConfig(ProviderConfig):
    """The base of every HTTP adapter's configuration; each gives `base_url` its default."""

    base_url: BaseUrl
