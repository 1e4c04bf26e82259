"""Settings of Server B, from the environment alone: read once, checked at start, each with its default and a sentence."""

from functools import cached_property
from ipaddress import ip_network
from urllib.parse import unquote, urlsplit

from cryptography.fernet import Fernet
from pydantic import AmqpDsn, Field, PostgresDsn, RedisDsn, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

#: As long as a refund to a day's counter may come (`keyspace.QUOTA_TTL`), and longer than any message lives.
SHORTEST_RETENTION = 40
#: Longer than Redis shows a final status, and than a report is waited for.
SHORTEST_ERASURE = 4
#: As the trigger on the trail has it.
SHORTEST_TRAIL = 90


SHORTEST_SECRET = 32


class Environment(BaseSettings):
    """Every option of Server B."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    database_url: PostgresDsn = Field(description="PostgreSQL, the single source of truth.")
    rabbitmq_url: AmqpDsn = Field(description="RabbitMQ, with the virtual host that the gateway uses too.")
    redis_url: RedisDsn = Field(description="Redis: the read model that Server B writes.")
    public_base_url: str = Field(description="Where providers and clients reach the gateway from outside; callback URLs start with it.")
    smsgw_secret_key: SecretStr = Field(min_length=32, description="Django's secret: sessions and tokens of the console.")
    smsgw_key_pepper: SecretStr = Field(min_length=32, description="Under which API keys are hashed; the same as the gateway's.")
    smsgw_secret_key_previous: SecretStr = Field(
        default=SecretStr(""), description="Older ones, by commas, that still open sessions and tokens: while it is rotated."
    )
    smsgw_key_pepper_previous: SecretStr = Field(
        default=SecretStr(""), description="Older ones, by commas, under which keys may still be stored; the same as the gateway's."
    )
    smsgw_credential_keys: SecretStr = Field(description="Fernet keys for provider credentials, comma-separated; the first encrypts.")
    smsgw_callback_secret: SecretStr = Field(min_length=32, description="Signs the callback URL of each message.")
    smsgw_callback_secret_previous: SecretStr = Field(
        default=SecretStr(""), description="Older ones, by commas, with which callback URLs on their way are signed: while it is rotated."
    )
    smsgw_log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR.")
    smsgw_web_host: str = Field(default="127.0.0.1", description="Where the console and the history listen.")
    smsgw_web_port: int = Field(default=8001, description="The port of the console and the history.")
    smsgw_web_workers: int = Field(default=1, ge=1, description="Gunicorn processes, each with threads.")
    smsgw_allowed_hosts: str = Field(default="127.0.0.1,localhost", description="Host names that the console answers to, comma-separated.")
    smsgw_web_trusted_proxies: str = Field(
        default="",
        description="Addresses or networks, comma-separated, whose `X-Forwarded-For` and `X-Forwarded-Proto` Server B believes.",
    )
    smsgw_development: bool = Field(default=False, description="Opens loopback for webhooks and plain http for the console's cookies.")
    smsgw_console_two_factor: bool = Field(default=False, description="Whoever signs in to the console must use an authenticator app.")
    smsgw_batch: int = Field(default=200, ge=1, le=1000, description="Messages that one claim takes at most.")
    smsgw_lease: int = Field(
        default=45,
        ge=25,
        description="Seconds after which a claimed message whose worker fell silent is looked into; 20 of them are a post's.",
    )
    smsgw_intake_instance: str = Field(
        default="",
        description="A name that one intake on this machine has at a time: a restarted one takes over from a killed one at once.",
    )
    smsgw_alive_file: str = Field(
        default="",
        description="A file that intake, a worker or beat touches every few seconds while it works, for health checks; none: no file.",
    )
    smsgw_unknown_wait: int = Field(default=60, ge=0, description="Seconds to wait for the outcome of a send that nobody answered.")
    smsgw_unknown_wait_otp: int = Field(default=15, ge=0, description="The same, for `otp`.")

    smsgw_retention_days: int = Field(
        default=90,
        description="Days after which a week of messages, with all that belongs to it, is dropped; 40 or more.",
    )

    smsgw_erase_after_days: int = Field(
        default=0,
        description="Days after which numbers become pseudonyms and texts are erased, of what is final; 4 or more. 0: with the retention.",
    )

    smsgw_audit_days: int = Field(
        default=730,
        description="Days after which entries of the console's audit trail are removed; 90 or more. 0: never.",
    )

    @field_validator("smsgw_audit_days")
    @classmethod
    def _is_as_long_as_postgresql_insists(cls, value: int) -> int:
        if value and value < SHORTEST_TRAIL:
            raise ValueError(f"give {SHORTEST_TRAIL} days or more, or 0 for never: PostgreSQL refuses to forget what is more recent")
        return value

    @field_validator("smsgw_erase_after_days")
    @classmethod
    def _is_later_than_redis_forgets(cls, value: int) -> int:
        if value and value < SHORTEST_ERASURE:
            raise ValueError(f"give {SHORTEST_ERASURE} days or more, or 0 for never: until then Redis shows it, and a provider may report")
        return value

    @field_validator("smsgw_retention_days")
    @classmethod
    def _is_longer_than_any_message_lives(cls, value: int) -> int:
        if value < SHORTEST_RETENTION:
            raise ValueError(
                f"keep {SHORTEST_RETENTION} days or more: a message may wait 30 days and live 3 more, and Redis may owe for 40"
            )
        return value

    @field_validator("smsgw_credential_keys")
    @classmethod
    def _are_fernet_keys(cls, value: SecretStr) -> SecretStr:
        for key in value.get_secret_value().split(","):
            Fernet(key.strip())
        return value

    @field_validator("smsgw_secret_key_previous", "smsgw_key_pepper_previous", "smsgw_callback_secret_previous")
    @classmethod
    def _each_is_long(cls, value: SecretStr) -> SecretStr:
        if any(len(secret) < SHORTEST_SECRET for secret in _parts(value)):
            raise ValueError(f"each must have {SHORTEST_SECRET} characters or more")
        return value

    @field_validator("smsgw_web_trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        for network in filter(None, value.split(",")):
            ip_network(network.strip(), strict=False)
        return value

    @field_validator("public_base_url")
    @classmethod
    def _has_no_trailing_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @cached_property
    def credential_keys(self) -> list[str]:
        """Fernet keys, the one that encrypts first."""
        return [key.strip() for key in self.smsgw_credential_keys.get_secret_value().split(",")]

    @cached_property
    def peppers(self) -> tuple[bytes, ...]:
        """Under which API keys are hashed, the newest first."""
        return _secrets(self.smsgw_key_pepper, self.smsgw_key_pepper_previous)

    @cached_property
    def callback_secrets(self) -> tuple[bytes, ...]:
        """With which callback URLs are signed, the newest first."""
        return _secrets(self.smsgw_callback_secret, self.smsgw_callback_secret_previous)

    @cached_property
    def secret_key_fallbacks(self) -> list[str]:
        """Django's older secrets."""
        return _parts(self.smsgw_secret_key_previous)

    @cached_property
    def trusted_proxies(self) -> list[str]:
        """Networks of proxies that say whom they speak for."""
        return [network.strip() for network in self.smsgw_web_trusted_proxies.split(",") if network.strip()]

    @cached_property
    def django_database(self) -> dict[str, object]:
        """`DATABASES["default"]`: psycopg with its pool, and time-outs that keep a worker from hanging."""
        url = urlsplit(str(self.database_url))
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(url.path.lstrip("/")),
            "USER": unquote(url.username or ""),
            "PASSWORD": unquote(url.password or ""),
            "HOST": url.hostname,
            "PORT": url.port or 5432,
            "CONN_MAX_AGE": 0,
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": {
                "pool": {"min_size": 0, "max_size": 8, "timeout": 5, "max_lifetime": 1800},
                # Django turns this off for poolers that hand a connection to others between transactions.
                "prepare_threshold": 3,
                "connect_timeout": 5,
                "tcp_user_timeout": 5000,
                "keepalives_idle": 10,
                "options": "-c statement_timeout=30000 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=15000 -c timezone=UTC",
            },
        }


def _parts(value: SecretStr) -> list[str]:
    return [part.strip() for part in value.get_secret_value().split(",") if part.strip()]


def _secrets(newest: SecretStr, previous: SecretStr) -> tuple[bytes, ...]:
    return (newest.get_secret_value().encode(), *(secret.encode() for secret in _parts(previous)))


environment = Environment()
