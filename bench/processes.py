"""Processes that a benchmark starts and ends by their pids, and the processor time of any process with its children."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.errors import Unprepared
from sms_stack.calls import call
from sms_stack.home import ROOT
from sms_stack.supervision import wait_until

_TICKS = os.sysconf("SC_CLK_TCK")
_READY_SECONDS = 30.0
_STOP_SECONDS = 20.0


@contextmanager
def running(command: Sequence[str], *, environment: Mapping[str, str], log: Path, ready: str) -> Iterator[int]:
    """Start a program, wait until `ready` (a URL) answers 200, hand out its pid, and end it."""
    with log.open("wb") as output:
        # Through setpriv, so that it ends with the benchmark, whatever ends that.
        program = subprocess.Popen(
            ["setpriv", "--pdeathsig=TERM", "--", *command], cwd=ROOT, env=dict(environment), stdout=output, stderr=subprocess.STDOUT
        )
    try:
        if not wait_until(lambda: program.poll() is not None or _answers(ready), seconds=_READY_SECONDS) or program.poll() is not None:
            said = log.read_text(errors="replace")[-1500:]
            raise Unprepared(f"{' '.join(command[-3:])} did not become ready; its log ends:\n{said}")
        yield program.pid
    finally:
        stop(program)


def stop(program: "subprocess.Popen[bytes]") -> None:
    """TERM, and KILL for one that does not listen."""
    program.terminate()
    try:
        program.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()


def cpu_seconds(pid: int) -> float:
    """
    Processor time of a process, its living descendants, and those that it has waited for.

    A child that ends between two readings moves from its own count to its parent's, so a difference of two readings misses nothing.
    """
    children = _children()
    total, found = 0, [pid]
    while found:
        one = found.pop()
        found += children.get(one, [])
        total += sum(_stat(one)[11:15])
    return total / _TICKS


def _children() -> dict[int, list[int]]:
    tree: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        fields = _stat(int(folder.name))
        if fields:
            tree.setdefault(fields[1], []).append(int(folder.name))
    return tree


def _stat(pid: int) -> list[int]:
    """/proc/pid/stat from the state on (see proc(5)), the state itself as 0; empty: the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    # The name before it may hold anything, also blanks and brackets.
    return [0, *(int(field) for field in text.rpartition(")")[2].split()[1:])]


def _answers(url: str) -> bool:
    try:
        return call(url, timeout=2).status == 200
    except OSError:
        return False
