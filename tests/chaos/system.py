"""
The system under test, as an operator, a fault and an oracle reach it: supervised processes, HTTP, `manage`, the three services.

Between each process and each service stands a fault proxy (a *wire*), so that an answer may be held or lost at a chosen point; another one
stands before the provider. Where the instance belongs to somebody else, as in the e2e tier, there are no wires.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg.rows import namedtuple_row
from redis import Redis

from chaos.background import Background
from chaos.cluster import Cluster, three_nodes
from chaos.waiting import NotSoError, until
from chaos.wires import Wire
from sms_stack import lifecycle
from sms_stack.calls import call
from sms_stack.home import Home
from sms_stack.instance import APPLICATION, SIMULATOR, Instance
from sms_stack.programs import Program
from sms_stack.supervision import Supervisor
from sms_stack.tiers import IMPATIENT, forget, own_environment

SERVICES = {"postgresql": "DATABASE_URL", "rabbitmq": "RABBITMQ_URL", "redis": "REDIS_URL"}
_TALKS_TO = {name: tuple(SERVICES) for name in APPLICATION} | {"gateway": ("rabbitmq", "redis")}
PROVIDER = "provider"
_RABBITMQCTL = ("/usr/lib/rabbitmq/bin/rabbitmqctl", "/opt/rabbitmq/sbin/rabbitmqctl")


@dataclass(frozen=True, kw_only=True)
class Variation:
    """How a process is run otherwise than usual."""

    environment: Mapping[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()

    def over(self, other: "Variation | None") -> "Variation":
        """Both of them."""
        if other is None:
            return self
        return Variation(environment={**other.environment, **self.environment}, prefix=(*other.prefix, *self.prefix))


@dataclass
class System:
    """One running instance."""

    instance: Instance
    wires: dict[tuple[str, str], Wire] = field(default_factory=dict)
    cluster: Cluster | None = None  #: of brokers, where there is not only one
    varied: Mapping[str, Variation] | None = None  #: how it runs now; None: as whoever started it has it

    @cached_property
    def supervisor(self) -> Supervisor:
        return Supervisor(self.instance.home)

    @property
    def lease(self) -> float:
        return float(self.instance.settings["SMSGW_LEASE"])

    @property
    def unknown_wait(self) -> float:
        return max(float(self.instance.settings["SMSGW_UNKNOWN_WAIT"]), 15.0)  # what `otp` waits by default

    # Processes

    def pid(self, name: str) -> int:
        def running() -> int | None:
            process = self.supervisor.processes().get(name)
            return process.pid if process else None

        return until(running, seconds=30, what=f"{name} running") or 0

    def signal(self, name: str, number: signal.Signals) -> int:
        pid = self.pid(name)
        os.kill(pid, number)
        return pid

    def restart(self, name: str, between: Callable[[], None] = lambda: None) -> None:
        self.supervisor.stop([name])
        between()
        self.supervisor.start([name])

    def vary(self, variations: Mapping[str, Variation]) -> None:
        """Run the named processes so, and all others as usual; only those that this changes are restarted."""
        if dict(variations) == (self.varied or {}) and (self.varied is not None or not self.wires):
            return
        self.varied = dict(variations)
        programs = [self._wired(program, variations.get(program.name, Variation())) for program in self.instance.programs()]
        self.supervisor.apply(programs)
        running = self.supervisor.running()
        self.supervisor.start([program.name for program in programs if program.name not in running])

    def begin_anew(self, variations: Mapping[str, Variation]) -> None:
        """The same with new processes, which do not remember what the last fault has made of them; ready when this returns."""
        if dict(variations) == self.varied:
            for name in APPLICATION:
                self.signal(name, signal.SIGKILL)
        else:
            self.vary(variations)
        self.wait_ready()

    def _wired(self, program: Program, variation: Variation) -> Program:
        wired = {
            SERVICES[service]: _with_port(self.instance.service_urls[service], wire.port)
            for (name, service), wire in self.wires.items()
            if name == program.name and service in SERVICES
        }
        if not wired and not variation.environment and not variation.prefix:
            return program
        environment = {**program.environment, **wired, **variation.environment}
        return replace(program, environment=environment, command=(*variation.prefix, *program.command))

    def unready(self) -> dict[str, str]:
        return lifecycle.unready(self.instance, self.supervisor, [*APPLICATION, SIMULATOR])

    def wait_ready(self, *, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while unready := self.unready():
            if time.monotonic() > deadline:
                raise NotSoError(f"not ready within {seconds:.0f} s: {unready}")
            time.sleep(0.1)

    # What an operator does

    def manage(self, *arguments: str, feed: str | None = None) -> Any:
        return json.loads(lifecycle.manage(self.instance, *arguments, "--json", feed=feed))

    # Services

    @cached_property
    def redis(self) -> "Redis":
        return Redis.from_url(self.instance.service_urls["redis"], socket_timeout=5)

    @contextmanager
    def sql(self, *, seconds: float = 60) -> Iterator["psycopg.Connection[Any]"]:
        """As PostgreSQL's superuser, each statement by itself, past all wires; waits until the server takes connections."""
        url = urlunsplit(urlsplit(self.instance.postgresql.superuser_url)._replace(path=urlsplit(self.instance.postgresql.url).path))
        deadline = time.monotonic() + seconds
        while True:
            try:
                connection = psycopg.connect(url, autocommit=True, connect_timeout=5, row_factory=namedtuple_row)
                break
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        with connection:
            yield connection

    def rabbitmqctl(self, *words: str) -> str:
        program = next(path for path in _RABBITMQCTL if os.access(path, os.X_OK))
        environment = {"PATH": os.environ["PATH"], **self.instance.rabbitmq.environment()}
        environment.pop("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS")
        environment["RABBITMQ_CTL_ERL_ARGS"] = "+S 1:1 +sbwt none"
        done = subprocess.run([program, "-q", *words], env=environment, capture_output=True, text=True, timeout=90, check=False)
        if done.returncode != 0:
            raise OSError(f"rabbitmqctl {words[0]}: {(done.stderr or done.stdout).strip()[-400:]}")
        return done.stdout

    def connections(self) -> set[str]:
        """Of clients at the broker, by the names of its own processes."""
        return set(self.rabbitmqctl("list_connections", "--no-table-headers", "pid").split())

    # The simulated provider

    def simulate(self, method: str, path: str, body: Any = None) -> Any:
        answer = call(f"{self.instance.simulator_url}/control/{path}", method=method, body=body, timeout=60)
        if answer.status >= 300:
            raise NotSoError(f"the simulator answers {answer.status} {answer.text[:300]}")
        return answer.document() if answer.text else None


def _with_port(url: str, port: int) -> str:
    parts = urlsplit(url)
    credentials = f"{parts.username or ''}:{parts.password or ''}@"
    return urlunsplit(parts._replace(netloc=f"{credentials}127.0.0.1:{port}"))


def attached() -> System:
    """The instance that runs already, as `./smsgw test e2e` has brought it up."""
    return System(Instance.load(Home.from_environment(), given=own_environment() | IMPATIENT))


@contextmanager
def own(home: Home, background: Background, *, wired: Collection[str] = APPLICATION, clustered: bool = False) -> Iterator[System]:
    """
    An instance of our own, from nothing, with a wire between each process and each service; gone when the block ends.

    `clustered`: with three brokers, to which each connection goes by turns.
    """
    home.make()
    lifecycle.down(home)
    forget(home.data)
    shutil.rmtree(home.logs, ignore_errors=True)
    if clustered:
        # Its nodes are started before `up`, which would bring what is not here.
        lifecycle.install_missing(home, own_environment())
    with ExitStack() as stack:
        stack.callback(lifecycle.down, home)
        cluster = stack.enter_context(three_nodes(Home(path=home.path / "cluster"))) if clustered else None
        external = {} if cluster is None else {"RABBITMQ_URL": cluster.url}
        instance = lifecycle.up(home, services_only=True, simulator=True, given=own_environment() | IMPATIENT | external)
        system = System(instance, cluster=cluster)
        ports = {name: urlsplit(url).port or 0 for name, url in instance.service_urls.items()}
        for name in wired:
            for service in _TALKS_TO[name]:
                others = cluster.ports[1:] if cluster is not None and service == "rabbitmq" else ()
                system.wires[name, service] = stack.enter_context(Wire.to(ports[service], background, others=others))
        system.wires["worker", PROVIDER] = stack.enter_context(Wire.to(instance.ports[SIMULATOR], background))
        lifecycle.manage(instance, "prepare")
        system.vary({})
        system.wait_ready()
        yield system


def logs_of(system: System) -> list[Path]:
    """Every log file of the instance."""
    return sorted(system.instance.home.logs.glob("*.log*"))
