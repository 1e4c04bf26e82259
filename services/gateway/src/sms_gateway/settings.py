"""Everything that can be set from outside: read once from the environment, validated at start."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The gateway's settings; each is an environment variable."""

    model_config = SettingsConfigDict(env_prefix="SMSGW_", extra="ignore", frozen=True, hide_input_in_errors=True)

    redis_url: Annotated[SecretStr, Field(validation_alias="REDIS_URL")]
    """Where Redis is: `redis://:password@host:port/0`."""
    rabbitmq_url: Annotated[SecretStr, Field(validation_alias="RABBITMQ_URL")]
    """Where RabbitMQ is: `amqp://user:password@host:port/vhost`."""
    public_base_url: Annotated[str, Field(validation_alias="PUBLIC_BASE_URL", pattern=r"^https?://[^/]+.*$")]
    """How clients and providers reach this gateway; callback and documentation URLs begin with it."""
    key_pepper: Annotated[SecretStr, Field(min_length=32)]
    """The key of the HMAC under which the secrets of API keys are stored."""
    key_pepper_previous: SecretStr = SecretStr("")
    """Older ones, by commas, under which keys may still be stored: while the pepper is rotated."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The least level that is logged."""
    gateway_host: str = "127.0.0.1"
    """The address to listen on."""
    gateway_port: Annotated[int, Field(ge=1, le=65535)] = 8000
    """The port to listen on."""
    gateway_workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes that share the port."""
    gateway_in_flight: Annotated[int, Field(ge=1)] = 2000
    """Submissions under way in one process; more are answered 503."""
    gateway_read_timeout: Annotated[float, Field(gt=0, le=600)] = 30.0
    """Seconds in which a request must have come in whole."""
    gateway_trusted_proxies: str = ""
    """Addresses, by commas, whose `X-Forwarded-For` is believed; none: the peer's address counts."""
    development: bool = False
    """Opens loopback addresses and plain http where production forbids them."""
    prometheus_multiproc_dir: Annotated[Path | None, Field(validation_alias="PROMETHEUS_MULTIPROC_DIR")] = None
    """A folder in which several processes add up their metrics."""

    @field_validator("key_pepper_previous")
    @classmethod
    def _each_is_long(cls, secrets: SecretStr) -> SecretStr:
        if any(len(secret) < 32 for secret in _parts(secrets)):
            raise ValueError("each must have 32 characters or more")
        return secrets

    @property
    def peppers(self) -> tuple[bytes, ...]:
        """The newest first."""
        return (self.key_pepper.get_secret_value().encode(), *(secret.encode() for secret in _parts(self.key_pepper_previous)))

    @field_validator("public_base_url")
    @classmethod
    def _without_slash(cls, url: str) -> str:
        return url.rstrip("/")


def _parts(secrets: SecretStr) -> list[str]:
    return [part.strip() for part in secrets.get_secret_value().split(",") if part.strip()]


@lru_cache(maxsize=1)
def from_environment() -> Settings:
    """Read once: what changes later is not seen."""
    return Settings()  # type: ignore[call-arg]  # they come from the environment
