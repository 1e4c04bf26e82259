"""wrk, which makes the load: run once for each measurement, told by the environment, read by its last line."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from bench.errors import BenchError, Untrustworthy
from bench.processes import stop
from sms_stack import lifecycle

SCRIPT = Path(__file__).with_name("load.lua")
#: More than the gateway's own deadline: what it answers late is late, not an error of the measurement.
_TIMEOUT = "8s"
_MARK = "BENCH "


class _Errors(msgspec.Struct):
    connect: int
    read: int
    write: int
    status: int  #: 400 and more
    timeout: int


class _Told(msgspec.Struct):
    requests: int
    microseconds: int
    p50: float
    p99: float
    refusals: int
    refusal: int
    errors: _Errors


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is sent, and how long."""

    url: str
    key: str
    prefix: str  #: of the idempotency keys; no two runs may share one
    body: bytes
    connections: int
    seconds: int  #: at most, where `limit` is set
    limit: int = 0  #: requests; 0: as many as there is time for
    ids: Path | None = None  #: where the tracking ids go, with a limit


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What came of it; every answer counted was a success, or was made up for."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    refusals: int = 0  #: with a limit, where they are made up for
    refusal: int = 0  #: the status of one of them

    @property
    def requests_per_second(self) -> float:
        return self.requests / self.seconds


def prepare() -> None:
    """Install it where it is missing."""
    if shutil.which("wrk") is None:
        lifecycle.install(["wrk"], reason="The benchmark needs wrk, which makes its load")


def measure(load: Load) -> Measurement:
    """Run it for its seconds. Raises `Untrustworthy` where anything but a success was answered."""
    with started(load) as program:
        output, _ = program.communicate()
    return read(output.decode(errors="replace"))


@contextmanager
def started(load: Load) -> Iterator["subprocess.Popen[bytes]"]:
    """For who wants to look on; ended on leaving, if it has not."""
    parts = urlsplit(load.url)
    told = {
        "BENCH_PATH": parts.path,
        "BENCH_BODY": load.body.decode(),
        "BENCH_PREFIX": load.prefix,
        "BENCH_KEY": load.key,
        "BENCH_LIMIT": str(load.limit),
        "BENCH_IDS": str(load.ids or os.devnull),
    }
    command = ["wrk", "-t1", f"-c{load.connections}", f"-d{load.seconds}s", "--timeout", _TIMEOUT, "-s", str(SCRIPT), load.url]
    program = subprocess.Popen(command, env={**os.environ, **told}, stdout=subprocess.PIPE)
    try:
        yield program
    finally:
        if program.poll() is None:
            stop(program)


def finish(program: "subprocess.Popen[bytes]") -> Measurement:
    """End it before its time: it goes on sleeping when its threads have stopped."""
    program.send_signal(signal.SIGINT)
    output, _ = program.communicate()
    return read(output.decode(errors="replace"))


def read(output: str) -> Measurement:
    """The last line that wrk prints. Raises `Untrustworthy` where there were errors, `BenchError` where it cannot be read."""
    line = next((line for line in output.splitlines() if line.startswith(_MARK)), None)
    if line is None:
        raise BenchError(f"wrk did not finish; it said: {output.strip()[-500:]}")
    told = msgspec.json.decode(line.removeprefix(_MARK), type=_Told)
    # With a limit the script has looked at each answer itself.
    told.errors.status -= min(told.refusals, told.errors.status)
    errors = {name: count for name, count in msgspec.structs.asdict(told.errors).items() if count}
    if errors or not told.requests:
        said = ", ".join(f"{name}: {count}" for name, count in errors.items()) or "no answer at all"
        raise Untrustworthy(f"Not every request was answered with success ({said}, of {told.requests}).")
    return Measurement(
        requests=told.requests,
        seconds=told.microseconds / 1e6,
        p50_ms=round(told.p50 / 1000, 2),
        p99_ms=round(told.p99 / 1000, 2),
        refusals=told.refusals,
        refusal=told.refusal,
    )
