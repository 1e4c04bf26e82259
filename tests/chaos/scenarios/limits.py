"""Limits of the machine: clocks that differ, no file descriptors left."""

import os
import resource
import subprocess
from pathlib import Path

from chaos.account import Rules
from chaos.scenario import DOUBT, Scenario, suite
from chaos.stage import Stage
from chaos.system import Variation
from chaos.waiting import NotSoError

_FAKETIME = "faketime"  #: Debian's package
_LIBRARY = "/usr/$LIB/faketime/libfaketimeMT.so.1"  #: `$LIB` is for ld.so, which knows the machine's own


def _no_faketime() -> str | None:
    there = any(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return None if there else "faketime is not installed (Debian: apt install faketime)"


def skewed(offset: str) -> Variation:
    """A process whose wall clock is off; monotonic time is not."""
    return Variation(
        environment={"LD_PRELOAD": _LIBRARY, "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_NO_CACHE": "1"}
    )


def _redis_is_lost(stage: Stage) -> None:
    """Putting it back asks each process since when it has done what."""
    stage.accepted(30)
    for _ in stage.moments(1):
        stage.say("FLUSHALL")
        stage.system.redis.flushall()
        stage.answered(503)
    stage.accepted(20)
    with stage.system.sql() as connection:
        row = connection.execute(_ODD, [f"{stage.load.run} %"]).fetchone()
    if row is not None and row.odd:
        raise NotSoError(f"{row.odd} messages were accepted at another time than ours")


def _sent_by_worker_otp_alone(stage: Stage) -> None:
    """Any other worker would send what it does not, where `promotional` messages are there to be overtaken."""
    with stage.stopped("worker"):
        enough = _passwords_sent(stage) + 5
        stage.until(lambda: _passwords_sent(stage) >= enough, "five more one-time passwords sent by worker-otp")
    _redis_is_lost(stage)


def _passwords_sent(stage: Stage) -> int:
    with stage.system.sql() as connection:
        row = connection.execute(_SENT_OTP, [f"{stage.load.run} %"]).fetchone()
    return int(row.sent) if row is not None else 0


_SENT_OTP = "SELECT count(*) AS sent FROM messages WHERE text LIKE %s AND lane = 'otp' AND status IN ('sent', 'delivered')"
_ODD = "SELECT count(*) AS odd FROM messages WHERE text LIKE %s AND abs(extract(epoch FROM created_at - stored_at)) > 600"


#: Process, how far its clock is off, what that may lead to, and what is done meanwhile.
_SKEWED = (
    ("gateway", "+2h", Rules(), _redis_is_lost),
    ("intake", "+2h", Rules(), _redis_is_lost),
    ("intake", "-2h", Rules(), _redis_is_lost),
    ("worker", "+2h", DOUBT, _redis_is_lost),
    ("worker", "-10m", DOUBT, _redis_is_lost),
    ("worker-otp", "+2h", DOUBT, _sent_by_worker_otp_alone),
    ("worker-upkeep", "+2h", Rules(), _redis_is_lost),
)
for _process, _offset, _rules, _act in _SKEWED:
    suite.add(
        Scenario(
            name=f"clock-{_process}{_offset}",
            number="F20",
            proves=f"The clock of {_process} is {_offset} off, and Redis is lost: leases, validity, quotas and ids go by another.",
            act=_act,
            rules=_rules,
            variations={_process: skewed(_offset)},
            needs=_no_faketime,
            package=_FAKETIME,
        )
    )


@suite.scenario("F21", rules=DOUBT)
def file_descriptors_exhausted(stage: Stage) -> None:
    """Gateway, intake and worker may open no more files for a while: refused or held, and healed when they may."""
    for name in ("gateway", "intake", "worker"):
        for _ in stage.moments(1):
            pid = stage.system.pid(name)
            before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            used = len(list(Path(f"/proc/{pid}/fd").iterdir()))
            stage.say(f"{name} may open no more files")
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, before[1]))
            try:
                stage.reset_wires(name)
                stage.last(3, 5)
            finally:
                if stage.system.pid(name) == pid:
                    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


@suite.scenario("F21", rules=DOUBT, only_accepted=True)
def processors_taken(stage: Stage) -> None:
    """Somebody else takes every processor for a while: slow, and right."""
    hogs = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        stage.accepted(20)
        stage.last(5, 8)
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
