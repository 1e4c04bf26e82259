"""A private RabbitMQ: its own epmd, cookie, node and data; everything on the loopback; users and policies from a definitions file."""

import base64
import hashlib
import json
import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from sms_stack.credentials import Credentials
from sms_stack.errors import MissingProgram
from sms_stack.home import ROOT, Home, write_private
from sms_stack.programs import Program

NAME = "rabbitmq"
PACKAGE = "rabbitmq-server"
USER = "smsgw"
MAIN_VHOST = "smsgw"
#: Besides the system's own: one for the benchmark, one for each parallel test process.
VHOSTS = (MAIN_VHOST, "bench", "test0", "test1", "test2", "test3")
POLICIES = ROOT / "deploy/rabbitmq/policies.json"
#: The package's wrapper in /usr/sbin changes the user or refuses; this is the server itself.
SERVERS = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "/opt/rabbitmq/sbin/rabbitmq-server")


def binary() -> str | None:
    return next((path for path in SERVERS if os.access(path, os.X_OK)), None)


def epmd() -> str | None:
    bundled = sorted(Path("/usr/lib/erlang").glob("erts-*/bin/epmd"))
    return shutil.which("epmd") or (str(bundled[-1]) if bundled else None)


def hashed_password(password: str) -> str:
    """RabbitMQ's own format; the salt follows from the password, so that the file is the same at each start."""
    salt = hashlib.sha256(b"salt:" + password.encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def definitions(password: str, policies: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "users": [
            {
                "name": USER,
                "password_hash": hashed_password(password),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": ["administrator"],
            },
        ],
        "vhosts": [{"name": vhost} for vhost in VHOSTS],
        "permissions": [{"user": USER, "vhost": vhost, "configure": ".*", "write": ".*", "read": ".*"} for vhost in VHOSTS],
        "policies": [{"vhost": vhost, **policy} for vhost in VHOSTS for policy in policies],
    }


@dataclass(frozen=True, kw_only=True)
class PrivateRabbitmq:
    program_names: ClassVar = ("epmd", NAME)

    home: Home
    credentials: Credentials
    port: int
    distribution_port: int
    epmd_port: int

    @property
    def url(self) -> str:
        return f"amqp://{USER}:{self.credentials.rabbitmq}@127.0.0.1:{self.port}/{MAIN_VHOST}"

    @property
    def folder(self) -> Path:
        return self.home.data / "rabbitmq"

    def configuration(self) -> str:
        return "\n".join(
            [
                "listeners.tcp.local = 127.0.0.1:" + str(self.port),
                f"load_definitions = {self.home.run / 'rabbitmq-definitions.json'}",
                "disk_free_limit.absolute = 200MB",
                "heartbeat = 10",
                # A quarter of the default: less memory, and less to read again after a kill.
                "raft.wal_max_size_bytes = 134217728",
                "log.console = true",
                "log.console.level = info",
                "log.file = false",
                "",
            ]
        )

    def prepare(self) -> None:
        for folder in (self.folder, self.folder / "plugins", self.folder / "generated", self.folder / "log"):
            folder.mkdir(parents=True, exist_ok=True)
        policies = json.loads(POLICIES.read_text())["policies"]
        document = definitions(self.credentials.rabbitmq, policies)
        write_private(self.home.run / "rabbitmq-definitions.json", json.dumps(document, indent=2) + "\n")
        write_private(self.home.run / "rabbitmq.conf", self.configuration())
        write_private(self.folder / "enabled_plugins", "[].\n")
        cookie = self.folder / ".erlang.cookie"
        write_private(cookie, self.credentials.erlang_cookie)
        cookie.chmod(0o400)

    def environment(self) -> dict[str, str]:
        folder = self.folder
        return {
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "RUNNING_UNDER_SYSTEMD": "1",  # one process, which TERM stops in good order
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",  # or the system instance's settings would be read
            "RABBITMQ_CONFIG_FILE": str(self.home.run / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_PLUGINS_EXPAND_DIR": str(folder / "plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
            "RABBITMQ_SCHEMA_DIR": str(folder / "generated"),
            "RABBITMQ_MNESIA_BASE": str(folder),
            "RABBITMQ_MNESIA_DIR": str(folder / "mnesia"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_LOGS": "-",
            # Private by its epmd's port; the data carries the name, so it must outlive a move of the folder.
            "RABBITMQ_NODENAME": "smsgw@localhost",
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            # Two schedulers that neither spin when idle nor pin themselves to a core that others need.
            "RABBITMQ_SCHEDULER_BIND_TYPE": "u",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                f"+S {min(2, os.cpu_count() or 1)} +sbwt none +sbwtdcpu none +sbwtdio none"
                " -kernel inet_dist_use_interface {127,0,0,1} -start_epmd false"
            ),
        }

    def programs(self) -> list[Program]:
        server, mapper = binary(), epmd()
        if server is None or mapper is None:
            raise MissingProgram("rabbitmq-server or Erlang's epmd is not installed.")
        environment = {"ERL_EPMD_PORT": str(self.epmd_port), "ERL_EPMD_ADDRESS": "127.0.0.1"}
        return [
            Program(name="epmd", command=(mapper, "-port", str(self.epmd_port), "-address", "127.0.0.1"), environment=environment),
            Program(name=NAME, command=(server,), environment=self.environment(), directory=self.folder, stop_seconds=45),
        ]


def trouble(url: str) -> str | None:
    """Why no broker listens at `url`, or None when one does. RabbitMQ listens only when it has booted, and logs more than a look."""
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 5672), timeout=2).close()
    except OSError as error:
        return str(error)
    return None
