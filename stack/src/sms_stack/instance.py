"""One instance put together: its services, the environment of its processes, and the programs to run."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from sms_stack import credentials, ports, replicas
from sms_stack.credentials import Credentials
from sms_stack.errors import BadInstance, NotUp
from sms_stack.home import ROOT, Home
from sms_stack.programs import Program
from sms_stack.services import postgresql, rabbitmq, redis
from sms_stack.services.postgresql import PrivatePostgresql
from sms_stack.services.rabbitmq import PrivateRabbitmq
from sms_stack.services.redis import PrivateRedis

#: Each kind of process, in the order in which they are started.
APPLICATION = ("gateway", "intake", "worker-otp", "worker", "worker-upkeep", "beat", "web")
SIMULATOR = "simulator"
#: Which setting names a service that somebody else runs, and which schemes it may have.
EXTERNAL = {
    postgresql.NAME: ("DATABASE_URL", ("postgresql", "postgres")),
    rabbitmq.NAME: ("RABBITMQ_URL", ("amqp", "amqps")),
    redis.NAME: ("REDIS_URL", ("redis", "rediss")),
}
DEFAULTS = {"SMSGW_LOG_LEVEL": "INFO", "SMSGW_GATEWAY_WORKERS": "1", "SMSGW_WEB_WORKERS": "1", "SMSGW_DEVELOPMENT": "1"}
#: The stack's own, and what only Server B may know.
NOT_PASSED_ON = {"SMSGW_HOME", "SMSGW_PROGRAM"}
#: Settings that are the operator's to make: ours, and OpenTelemetry's.
_OPERATORS = ("SMSGW_", "OTEL_")
SERVER_B_ONLY = {
    *("SMSGW_SECRET_KEY", "SMSGW_SECRET_KEY_PREVIOUS"),
    "SMSGW_CREDENTIAL_KEYS",
    *("SMSGW_CALLBACK_SECRET", "SMSGW_CALLBACK_SECRET_PREVIOUS"),
}


@dataclass(frozen=True)
class Instance:
    home: Home
    credentials: Credentials
    ports: Mapping[str, int]
    #: The operator's environment, read once.
    given: Mapping[str, str]

    @classmethod
    def load(cls, home: Home, *, given: Mapping[str, str] = os.environ) -> "Instance":
        """As it was left; raises `NotUp` when nothing was ever started here."""
        known = ports.kept(home)
        if set(known) != set(ports.NAMES):
            raise NotUp("The system is not up. Start it with: ./smsgw up")
        return cls(home, credentials.load(home), known, given)

    @cached_property
    def external(self) -> dict[str, str]:
        """Services named by the environment, by name."""
        urls = {}
        for name, (setting, schemes) in EXTERNAL.items():
            url = self.given.get(setting, "").strip()
            if url and urlsplit(url).scheme not in schemes:
                raise BadInstance(f"{setting} must begin with {schemes[0]}://, or be unset for a private {name}.")
            if url:
                urls[name] = url
        return urls

    @cached_property
    def postgresql(self) -> PrivatePostgresql:
        return PrivatePostgresql(home=self.home, credentials=self.credentials, port=self.ports["postgresql"])

    @cached_property
    def rabbitmq(self) -> PrivateRabbitmq:
        return PrivateRabbitmq(
            home=self.home,
            credentials=self.credentials,
            port=self.ports["rabbitmq"],
            distribution_port=self.ports["rabbitmq-distribution"],
            epmd_port=self.ports["epmd"],
        )

    @cached_property
    def redis(self) -> PrivateRedis:
        return PrivateRedis(home=self.home, credentials=self.credentials, port=self.ports["redis"])

    @property
    def private(self) -> list[PrivatePostgresql | PrivateRabbitmq | PrivateRedis]:
        every: dict[str, PrivatePostgresql | PrivateRabbitmq | PrivateRedis] = {
            postgresql.NAME: self.postgresql,
            rabbitmq.NAME: self.rabbitmq,
            redis.NAME: self.redis,
        }
        return [service for name, service in every.items() if name not in self.external]

    @cached_property
    def service_urls(self) -> dict[str, str]:
        own = {postgresql.NAME: self.postgresql.url, rabbitmq.NAME: self.rabbitmq.url, redis.NAME: self.redis.url}
        return {**own, **self.external}

    @property
    def gateway_port(self) -> int:
        return _port(self.given, "SMSGW_GATEWAY_PORT", self.ports["gateway"])

    @property
    def web_port(self) -> int:
        return _port(self.given, "SMSGW_WEB_PORT", self.ports["web"])

    @property
    def gateway_url(self) -> str:
        return f"http://{_reachable(self.given.get('SMSGW_GATEWAY_HOST'))}:{self.gateway_port}"

    @property
    def web_url(self) -> str:
        return f"http://{_reachable(self.given.get('SMSGW_WEB_HOST'))}:{self.web_port}"

    @property
    def simulator_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['simulator']}"

    @cached_property
    def settings(self) -> dict[str, str]:
        """What Server B's processes and the operator's commands are told. Whatever the operator sets for himself wins."""
        made = {
            **DEFAULTS,
            "PUBLIC_BASE_URL": self.given.get("PUBLIC_BASE_URL") or self.gateway_url,
            "SMSGW_KEY_PEPPER": self.credentials.key_pepper,
            "SMSGW_CALLBACK_SECRET": self.credentials.callback_secret,
            "SMSGW_SECRET_KEY": self.credentials.secret_key,
            "SMSGW_CREDENTIAL_KEYS": self.credentials.credential_key,
            "SMSGW_GATEWAY_HOST": "127.0.0.1",
            "SMSGW_WEB_HOST": "127.0.0.1",
        }
        own = {name: value for name, value in self.given.items() if name.startswith(_OPERATORS) and value and name not in NOT_PASSED_ON}
        return {
            **made,
            **own,
            "DATABASE_URL": self.service_urls[postgresql.NAME],
            "RABBITMQ_URL": self.service_urls[rabbitmq.NAME],
            "REDIS_URL": self.service_urls[redis.NAME],
            "SMSGW_GATEWAY_PORT": str(self.gateway_port),
            "SMSGW_WEB_PORT": str(self.web_port),
            "PROMETHEUS_MULTIPROC_DIR": str(self.metrics("backend")),
        }

    @cached_property
    def gateway_settings(self) -> dict[str, str]:
        """What Server A is told: it has no database, and no key that opens provider credentials."""
        shared = {name: value for name, value in self.settings.items() if name not in {"DATABASE_URL", *SERVER_B_ONLY}}
        return {**shared, "PROMETHEUS_MULTIPROC_DIR": str(self.metrics("gateway"))}

    def names(self, kind: str) -> list[str]:
        """The processes of one kind of `APPLICATION`."""
        return replicas.names(kind, self.given)

    @cached_property
    def application_names(self) -> list[str]:
        """Every process of the two servers."""
        return [name for kind in APPLICATION for name in self.names(kind)]

    def metrics(self, server: str) -> Path:
        return self.home.run / "metrics" / server

    def programs(self) -> list[Program]:
        services = [program for service in self.private for program in service.programs()]
        return [*services, *self.application(), self.simulator()]

    def application(self) -> list[Program]:
        python = sys.executable
        # Quiet: its banner is no event.
        celery = (python, "-m", "celery", "-A", "sms_backend.config.celery:app", "-q")
        quiet = ("--pool", "threads", "--without-gossip", "--without-mingle", "--without-heartbeat")
        web = ("-m", "gunicorn", "-c", "python:sms_backend.config.gunicorn", "sms_backend.config.wsgi:application")

        def server_b(name: str, *command: str, stop_seconds: int = 15, **more: str) -> Program:
            environment = {**self.settings, **more}
            return Program(name=name, command=command, environment=environment, directory=ROOT, stop_seconds=stop_seconds)

        def worker(kind: str, queues: str, slots: int) -> list[Program]:
            # A post may take 20 s (the transport's total), and what it answered must still be written.
            return [
                server_b(name, *celery, "worker", *quiet, "-c", str(slots), "-Q", queues, "-n", f"{name}@%h", stop_seconds=30)
                for name in self.names(kind)
            ]

        def intake(name: str) -> Program:
            return server_b(name, python, "-m", "sms_backend", "intake", SMSGW_INTAKE_INSTANCE=f"{name}-{self.home.key}")

        def beat(name: str) -> Program:
            schedule = str(self.home.data / "beat" / ("schedule" if name == "beat" else name))
            return server_b(name, *celery, "beat", "-s", schedule, "--pidfile=")

        return [
            Program(
                name="gateway",
                command=(python, "-m", "sms_gateway"),
                environment=self.gateway_settings,
                directory=ROOT,
                stop_seconds=15,
            ),
            *map(intake, self.names("intake")),
            *worker("worker-otp", "dispatch.otp", 2),
            *worker("worker", "dispatch.transactional,dispatch.promotional", 4),
            *worker("worker-upkeep", "receipts,webhooks,upkeep", 4),
            *map(beat, self.names("beat")),
            server_b("web", python, *web),
        ]

    def simulator(self) -> Program:
        ledger = str(self.home.data / "simulator" / "ledger.jsonl")
        command = (
            sys.executable,
            "-m",
            "sms_simulators",
            "--host",
            "127.0.0.1",
            "--port",
            str(self.ports["simulator"]),
            "--ledger",
            ledger,
        )
        return Program(name=SIMULATOR, command=command, environment={"SMSGW_LOG_LEVEL": "INFO"}, directory=ROOT, stop_seconds=10)


def _port(given: Mapping[str, str], setting: str, kept: int) -> int:
    value = given.get(setting, "").strip()
    if not value:
        return kept
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise BadInstance(f"{setting} must be a port between 1 and 65535, not {value!r}.")
    return int(value)


def _reachable(host: str | None) -> str:
    """Where a server that binds `host` is reached from here."""
    return "127.0.0.1" if host in {None, "", "0.0.0.0"} else f"{host}"  # noqa: S104 -- asked for by the operator, not bound here


def masked(url: str) -> str:
    """A URL for people: without its password."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    place = f"{parts.hostname}:{parts.port}" if parts.port else f"{parts.hostname}"
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:***@{place}"))
