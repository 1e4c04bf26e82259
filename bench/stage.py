"""What the benchmarks share: how one is run and reported, and what it needs of the stack: its settings, its processes, and to be alone."""

import fcntl
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from bench import ground, machine, wrk
from bench.errors import BenchError, Unprepared
from sms_stack.errors import StackError
from sms_stack.home import Home
from sms_stack.instance import APPLICATION
from sms_stack.progress import say, step
from sms_stack.replicas import kind_of
from sms_stack.supervision import Supervisor

_SETTINGS = ("RABBITMQ_URL", "REDIS_URL", "SMSGW_HOME")
_SERVER_B = tuple(kind for kind in APPLICATION if kind != "gateway")
_SERVICES = ("postgresql", "rabbitmq", "redis")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where a gateway is measured by itself."""

    folder: Path  #: for files; it does not outlive the benchmark
    own: ground.Ground
    place: dict[str, Any]  #: the machine
    conditions: str  #: what was done to be alone


def perform(measure: Callable[[], dict[str, Any]], show: Callable[[dict[str, Any]], None], *, as_json: bool) -> int:
    """Measure, report, and fail where the account does not hold: what `main` of each benchmark does."""
    with entry(as_json=as_json):
        told = measure()
    if as_json:
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
    else:
        show(told)
    for problem in told["problems"]:
        say(f"Not to be believed: {problem}.")
    return 1 if told["problems"] else 0


@contextmanager
def prepared() -> Iterator[Stage]:
    """The stage for a gateway by itself: a load generator, ground of its own, nobody else of the stack beside it."""
    wrk.prepare()
    place = machine.describe()
    settings = given()
    with ExitStack() as stack:
        folder = stack.enter_context(alone())
        conditions = stack.enter_context(server_b_stopped())
        own = stack.enter_context(ground.prepared(settings["RABBITMQ_URL"], settings["REDIS_URL"]))
        yield Stage(folder=folder, own=own, place=place, conditions=conditions)


@contextmanager
def entry(*, as_json: bool) -> Iterator[None]:
    """Whatever goes wrong is one sentence; TERM cleans up as Ctrl-C does, and both do also where the caller ignores them."""

    def leave(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, leave)
    try:
        yield
    except (BenchError, StackError) as error:
        if as_json:
            sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
        say(f"bench: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        say("bench: stopped, and cleaned up.")
        sys.exit(130)


def given() -> dict[str, str]:
    """The stack's settings, which `./smsgw bench` passes on."""
    missing = [name for name in _SETTINGS if not os.environ.get(name)]
    if missing:
        raise Unprepared(f"{', '.join(missing)} not set: run this by ./smsgw bench")
    return dict(os.environ)


@contextmanager
def alone() -> Iterator[Path]:
    """One benchmark at a time in an instance; hands out an empty folder for its files, which does not outlive it."""
    home = Home.from_environment()
    home.make()
    with (home.run / "bench-lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unprepared("Another benchmark runs in this instance.") from None
        folder = home.run / "bench"
        shutil.rmtree(folder, ignore_errors=True)  # of one that was killed
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def processes() -> dict[str, int]:
    """Pids of what the stack runs, by name."""
    return {name: process.pid for name, process in Supervisor(Home.from_environment()).processes().items() if process.pid is not None}


def services() -> dict[str, int]:
    """Pids of the services that the stack runs itself."""
    return {name: pid for name, pid in processes().items() if name in _SERVICES}


@contextmanager
def server_b_stopped() -> Iterator[str]:
    """Stop what runs of Server B, and start it again; hands out what to say about it."""
    supervisor = Supervisor(Home.from_environment())
    stopped = sorted((name for name in supervisor.running() if kind_of(name) in _SERVER_B), key=lambda name: _SERVER_B.index(kind_of(name)))
    if not stopped:
        yield "Server B was not running here"
        return
    with ExitStack() as stack:
        # Before it is stopped, so that a Ctrl-C meanwhile starts it again too.
        stack.callback(_start, supervisor, stopped)
        with step("Stopping Server B meanwhile"):
            supervisor.stop(stopped)
        yield "Server B stopped meanwhile"


def _start(supervisor: Supervisor, names: list[str]) -> None:
    with step("Starting Server B again"):
        supervisor.start(names)


def free_ports(count: int) -> list[int]:
    """Ports on the loopback that nobody listens on now."""
    with ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in found]
