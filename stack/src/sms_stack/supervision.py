"""Speaking with supervisord: start it, tell it what has changed, start and stop programs, and end what it left behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ProtocolError, ServerProxy, Transport

from supervisor.xmlrpc import Faults  # type: ignore[import-untyped]

from sms_stack.configuration import render
from sms_stack.errors import NotReady
from sms_stack.home import Home, is_ours, write_private
from sms_stack.programs import Program
from sms_stack.progress import say

#: What the programs and supervisord inherit from whoever starts them; nothing else gets in by chance.
INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
INHERITED_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
INHERITED_PREFIXES = ("OTEL_",)


def inherited(environment: Iterable[tuple[str, str]]) -> dict[str, str]:
    kept = {
        name: value for name, value in environment if name in INHERITED or name in INHERITED_PROXIES or name.startswith(INHERITED_PREFIXES)
    }
    path = kept.get("PATH", "").split(":")
    kept["PATH"] = ":".join(dict.fromkeys([*path, "/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin", "/bin", "/sbin"])).strip(
        ":"
    )
    kept.setdefault("LANG", "C.UTF-8")
    return kept


class _UnixConnection(HTTPConnection):
    def __init__(self, path: str) -> None:
        # supervisord's own transport has no time-out: a stopped supervisord would hold us for ever.
        super().__init__("localhost", timeout=15)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _UnixTransport(Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> HTTPConnection:
        connection = _UnixConnection(self._path)
        self._connection = host, connection  # the base class keeps it there, and closes it
        return connection


@dataclass(frozen=True, kw_only=True)
class Process:
    name: str
    state: str  #: running, starting, stopping, stopped, backoff, exited or fatal
    pid: int | None
    said: str  #: supervisord's own words, e.g. why it could not be spawned


@dataclass(frozen=True)
class Supervisor:
    home: Home

    @property
    def socket(self) -> Path:
        return self.home.runtime / "supervisor.sock"

    @property
    def configuration(self) -> Path:
        return self.home.run / "supervisord.conf"

    def _call(self, method: str, *arguments: Any) -> Any:
        if not is_ours(self.socket.parent):
            raise ConnectionRefusedError("supervisord's folder is not there, or somebody else's")
        with ServerProxy("http://localhost", transport=_UnixTransport(str(self.socket))) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)

    def alive(self) -> bool:
        if not self.home.run.is_dir():
            return False
        try:
            state = self._call("getState")
        except (OSError, ProtocolError):
            return False
        return bool(state["statename"] == "RUNNING")

    def processes(self) -> dict[str, Process]:
        """Every program that supervisord knows; none when it is not there."""
        if not self.home.run.is_dir():
            return {}
        try:
            known = self._call("getAllProcessInfo")
        except (OSError, ProtocolError, Fault):
            return {}
        return {
            each["name"]: Process(
                name=each["name"], state=each["statename"].lower(), pid=each["pid"] or None, said=each["spawnerr"] or each["description"]
            )
            for each in known
        }

    def running(self) -> set[str]:
        return {process.name for process in self.processes().values() if process.state in {"running", "starting"}}

    def apply(self, programs: Collection[Program]) -> None:
        """Start supervisord, or tell a running one what has changed; what changed is stopped, and started by whoever needs it."""
        text = render(self.home, self.socket, programs)
        same = self.configuration.exists() and self.configuration.read_text() == text
        if not same:
            write_private(self.configuration, text)
        if not self.alive():
            self._start()
        elif not same:
            added, changed, removed = self._call("reloadConfig")[0]
            self.stop([*changed, *removed])
            for name in [*changed, *removed]:
                self._call("removeProcessGroup", name)
            for name in [*added, *changed]:
                self._call("addProcessGroup", name)

    def _start(self) -> None:
        """Only under the instance's lock, and when nothing is left of an earlier one: nothing runs twice."""
        self.home.make_runtime()
        self.socket.unlink(missing_ok=True)
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(self.configuration)]
        # supervisord warns of pkg_resources' end at each start; that is setuptools' business, not a user's.
        environment = {**inherited(os.environ.items()), "PYTHONWARNINGS": "ignore::UserWarning", "SMSGW_HOME": str(self.home.path)}
        environment["SMSGW_PROGRAM"] = "supervisord"
        run = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, check=False)  # noqa: S603
        if run.returncode != 0 or not wait_until(self.alive, seconds=10):
            raise NotReady(f"supervisord did not start: {(run.stderr or run.stdout).strip()[-600:]}\n{self.home.last_lines('supervisord')}")

    def start(self, names: Iterable[str]) -> None:
        for name in names:
            try:
                self._call("startProcess", name, False)  # noqa: FBT003 -- XML-RPC has no names
            except Fault as fault:
                if fault.faultCode not in {Faults.ALREADY_STARTED, Faults.SPAWN_ERROR, Faults.ABNORMAL_TERMINATION}:
                    raise NotReady(f"{name} cannot be started: {fault.faultString}") from fault

    def stop(self, names: Collection[str]) -> None:
        """All at once, then wait: each has its own time until supervisord kills it."""
        stopping = [name for name in names if name in self.processes()]
        for name in stopping:
            try:
                self._call("stopProcess", name, False)  # noqa: FBT003 -- XML-RPC has no names
            except Fault as fault:
                if fault.faultCode != Faults.NOT_RUNNING:
                    raise

        def stopped() -> bool:
            known = self.processes()
            return all(name not in known or known[name].pid is None for name in stopping)

        if not wait_until(stopped, seconds=70):
            raise NotReady(f"Some of these do not stop: {', '.join(stopping)}.")

    def shut_down(self) -> None:
        if self.alive():
            pid = self._call("getPID")
            self._call("shutdown")
            wait_until(lambda: not Path(f"/proc/{pid}").exists(), seconds=90)
        end_leftovers(self.home)
        self.home.remove_runtime()


def wait_until(condition: Callable[[], bool], *, seconds: float, pause: float = 0.1) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def leftovers(home: Home) -> dict[int, str]:
    """
    Processes of this instance, by the mark in their environment: supervisord's children carry it, and so do theirs.

    PostgreSQL and Redis write their titles over their environment, so they are also known by the folder that they work in.
    """
    mark = b"\0SMSGW_HOME=" + os.fsencode(home.path) + b"\0"
    data = f"{home.data.resolve()}/"
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = b"\0" + (folder / "environ").read_bytes() + b"\0"
            name = (folder / "comm").read_text().strip()
            works_here = name in {"postgres", "redis-server"} and f"{(folder / 'cwd').readlink()}/".startswith(data)
        except OSError:
            continue  # gone meanwhile, or another user's
        if works_here or (mark in environment and b"\0SMSGW_PROGRAM=" in environment):
            found[int(folder.name)] = name
    return found


def end_leftovers(home: Home) -> None:
    """A killed supervisord's programs are on their way out already; wait for them, ask, then insist."""
    if wait_until(lambda: not leftovers(home), seconds=0.3):
        return
    say(f"Waiting for what is left of an earlier run to end: {', '.join(sorted(set(leftovers(home).values())))}.")
    for patience, ending in ((10, None), (10, signal.SIGTERM), (5, signal.SIGKILL)):
        for pid in leftovers(home) if ending else ():
            try:
                os.kill(pid, ending)  # type: ignore[arg-type]
            except ProcessLookupError:
                continue
        if wait_until(lambda: not leftovers(home), seconds=patience):
            return
    raise NotReady(f"These processes do not end: {leftovers(home)}.")
