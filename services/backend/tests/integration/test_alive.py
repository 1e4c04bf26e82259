"""Processes that listen nowhere say that they work by touching a file: what a container's health check looks at."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

_CELERY = (sys.executable, "-m", "celery", "-A", "sms_backend.config.celery:app")
_PROCESSES = {
    "intake": (sys.executable, "-m", "sms_backend", "intake"),
    "worker": (*_CELERY, "worker", "--pool", "threads", "-c", "1", "-Q", "upkeep", "--without-gossip", "--without-mingle"),
    "beat": (*_CELERY, "beat", "--pidfile="),
}


def until(condition, *, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("name", _PROCESSES)
def test_a_process_that_works_touches_its_file_again_and_again(name, rabbitmq_url, tmp_path):
    file: Path = tmp_path / "alive"
    command = [*_PROCESSES[name], *(["-s", str(tmp_path / "schedule")] if name == "beat" else [])]
    environment = {**os.environ, "SMSGW_ALIVE_FILE": str(file)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert until(file.exists, seconds=45)
        os.utime(file, (0, 0))
        assert until(lambda: file.stat().st_mtime > 0, seconds=20)
        # One that hangs says nothing more.
        process.send_signal(signal.SIGSTOP)
        os.utime(file, (0, 0))
        assert not until(lambda: file.stat().st_mtime > 0, seconds=1)
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait(10)
