"""What a scenario has at hand while its load runs."""

import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import amqp  # type: ignore[import-untyped]

from chaos.people import Account, settings_of
from chaos.system import PROVIDER, System, Variation
from chaos.waiting import until
from chaos.wires import Wire
from chaos.workload import Load
from sms_contract import topology
from sms_simulators.fault_proxy import Mode
from sms_stack.pytest_services import address_of

#: Seconds until a process, which may have been killed a moment ago, is at what it is to be held at.
_AT_IT = 90


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The system, its load, and random numbers that follow from the seed."""

    system: System
    load: Load
    rng: random.Random
    accounts: Mapping[str, Account]  #: of the simulated providers, by slug
    say: Callable[[str], None]
    patience: float = 60.0  #: seconds until clients must be accepted
    variations: Mapping[str, Variation] = field(default_factory=dict)  #: how processes have been run from the beginning

    # When

    def moments(self, count: int, *, least: float = 0.3, most: float = 1.5) -> Iterator[int]:
        """Seeded random moments under load: never at the beginning, and never two without something accepted between them."""
        for number in range(count):
            self.accepted(5)
            time.sleep(self.rng.uniform(least, most))
            yield number
        self.accepted(5)

    def last(self, least: float, most: float) -> None:
        """Let a fault last for a random while."""
        time.sleep(self.rng.uniform(least, most))

    def accepted(self, more: int, *, seconds: float | None = None) -> None:
        """Wait until so many more have been accepted."""
        goal = self.load.acknowledged + more
        until(
            lambda: self.load.acknowledged >= goal,
            seconds=seconds or self.patience,
            what=f"{more} more accepted (answers: {dict(self.load.answers)})",
        )

    def until[T](self, condition: Callable[[], T], what: str, *, seconds: float = 30) -> T:
        return until(condition, seconds=seconds, what=what)

    def answered(self, status: int, *, seconds: float = 20) -> None:
        """Wait until clients have been told so once more."""
        before = self._told(status)
        until(lambda: self._told(status) > before, seconds=seconds, what=f"an answer {status} ({dict(self.load.answers)})")

    def refused_while(self, what: str, begin: Callable[[], object], end: Callable[[], object], *, lasting: tuple[float, float]) -> None:
        """A fault under which clients are told 503, for so many seconds more."""
        for _ in self.moments(1):
            self.say(what)
            begin()
            try:
                self.answered(503)
                self.last(*lasting)
            finally:
                end()

    def _told(self, status: int) -> int:
        return sum(count for said, count in dict(self.load.answers).items() if said.startswith(str(status)))

    # What

    def kill(self, *names: str) -> None:
        """Returns when they are dead: until then a wire that is let go would pass on what it holds of them."""
        for name in names:
            self.say(f"kill -9 {name}")
        pids = [self.system.signal(name, signal.SIGKILL) for name in names]
        until(lambda: not any(map(_lives, pids)), seconds=30, what=f"{' '.join(names)} dead")

    @contextmanager
    def frozen(self, *names: str) -> Iterator[None]:
        """SIGSTOP, and SIGCONT when the block ends."""
        pids = [self.system.signal(name, signal.SIGSTOP) for name in names]
        self.say(f"SIGSTOP {' '.join(names)}")
        try:
            yield
        finally:
            for name, pid in zip(names, pids, strict=True):
                if self.system.pid(name) == pid:
                    self.system.signal(name, signal.SIGCONT)

    @contextmanager
    def stopped(self, *names: str) -> Iterator[None]:
        """As an operator stops them, and starts them when the block ends."""
        self.say(f"stop {' '.join(names)}")
        self.system.supervisor.stop(list(names))
        try:
            yield
        finally:
            self.system.supervisor.start(list(names))

    @contextmanager
    def untold(self) -> Iterator[None]:
        """
        Messages are stored, and nothing shows it: sends are paused, and who tells Redis stands still.

        Else a repeat finds its message in Redis before its reservation may be taken over, and there never is a second copy.
        """
        self.system.manage("pause")
        try:
            with self.frozen("worker-upkeep"):
                yield
        finally:
            self.system.manage("resume")

    def repeated(self) -> None:
        """Wait until whoever has no clear answer by now has got one."""
        now = time.monotonic()
        until(lambda: not self.load.waiting_since(now), seconds=self.patience, what=f"clear answers ({dict(self.load.answers)})")

    def kill_pid(self, pid: int, what: str) -> None:
        self.say(f"kill -9 {what}")
        os.kill(pid, signal.SIGKILL)

    @contextmanager
    def frozen_pids(self, pids: Sequence[int]) -> Iterator[None]:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def wire(self, process: str, service: str) -> Wire:
        return self.system.wires[process, service]

    @contextmanager
    def held(self, process: str, service: str, mode: Mode, markers: Sequence[bytes] = ()) -> Iterator[None]:
        """The block runs while a connection is held at the markers."""
        wire = self.wire(process, service)
        with wire.failing(mode, markers=markers):
            until(lambda: wire.holding, seconds=_AT_IT, what=f"{process} held before {service} at {markers!r}")
            yield

    def behave(self, **behaviour: Any) -> None:
        """Have the simulated providers behave so from now on."""
        for account in self.accounts.values():
            self.system.simulate("PUT", f"accounts/{account['sid']}", settings_of(account, behaviour=behaviour))

    @contextmanager
    def refusing_provider(self) -> Iterator[None]:
        """Nobody listens at the provider until the block ends."""
        with self.wire("worker", PROVIDER).failing(Mode.REFUSE):
            yield

    def vary(self, more: Mapping[str, Variation]) -> None:
        """Run the named processes otherwise, and all others as from the beginning."""
        self.system.vary({**self.variations, **more})

    def reset_wires(self, process: str) -> None:
        """Have a process open its connections again."""
        for (name, service), wire in self.system.wires.items():
            if name == process and service != PROVIDER:
                wire.reset()

    def judged(self, verdict: str) -> int:
        """How many callbacks have been found to be so since this run began."""
        query = "SELECT count(*) AS count FROM callbacks WHERE verdict = %s AND received_at > now() - make_interval(secs => %s)"
        with self.system.sql() as connection:
            row = connection.execute(query, [verdict, time.monotonic() - self.load.told[0].began]).fetchone()
        return int(row.count) if row is not None else 0

    @contextmanager
    def broker_channel(self) -> Iterator[Any]:
        """A channel to the broker, past all wires."""
        with amqp.Connection(**address_of(self.system.instance.service_urls["rabbitmq"])) as connection:
            yield connection.channel()

    def publish(self, channel: Any, queue: str, body: bytes) -> None:
        """As a stranger would: with nothing but a body and an id."""
        channel.basic_publish(amqp.Message(body, message_id=uuid4().hex, delivery_mode=2), exchange=topology.EXCHANGE, routing_key=queue)

    def publish_task(self, channel: Any, queue: str, task: str, arguments: Sequence[Any]) -> None:
        """A Celery message, protocol 2: https://docs.celeryq.dev/en/stable/internals/protocol.html"""
        number = uuid4().hex
        headers = {"lang": "py", "task": task, "id": number, "root_id": number, "parent_id": None, "group": None}
        body = json.dumps([arguments, {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])
        message = amqp.Message(
            body, content_type="application/json", content_encoding="utf-8", application_headers=headers, correlation_id=number
        )
        channel.basic_publish(message, exchange=topology.CELERY_EXCHANGE, routing_key=queue)

    def ledger(self) -> list[dict[str, Any]]:
        """What the simulated providers have taken of this run."""
        entries = self.system.simulate("GET", "ledger")["entries"]
        return [entry for entry in entries if entry["body"].startswith(self.load.run)]


def _lives(pid: int) -> bool:
    """Whether a process still has its sockets: one that is dead and not yet waited for has none."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {"Z", "X"}
