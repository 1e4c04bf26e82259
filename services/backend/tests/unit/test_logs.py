"""What the log shows of an exception: its kind and its places, never its words."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import logging, structlog
from sms_backend.core.logs import configure
configure("INFO")
def fail():
    raise ValueError("+447911123456 said: your code is 123456")
try:
    fail()
except ValueError:
    {how}
"""


@pytest.mark.parametrize(
    "how",
    [
        'structlog.get_logger().error("settle.failed", exc_info=True, tracking_id="t")',
        'logging.getLogger("elsewhere").exception("settle.failed")',
    ],
)
def test_an_exceptions_words_stay_out(how: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(how=how)], capture_output=True, text=True, timeout=30, check=True)
    (line,) = done.stderr.splitlines()
    assert "447911123456" not in line
    event = json.loads(line)
    assert (event["event"], event["level"], event["exception"]) == ("settle.failed", "error", "builtins.ValueError")
    assert event["where"][-1].endswith(" fail")


EACH = """
from sms_backend.core.logs import configure, tell_each
configure("{level}")
tell_each("attempt.settled", [{{"tracking_id": str(n), "code": None}} for n in range(500)])
"""


def test_many_events_of_one_moment_are_a_line_each() -> None:
    done = subprocess.run([sys.executable, "-c", EACH.format(level="INFO")], capture_output=True, text=True, timeout=30, check=True)
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [event["tracking_id"] for event in events] == [str(number) for number in range(500)]
    assert {(event["event"], event["level"], event["timestamp"][-1]) for event in events} == {("attempt.settled", "info", "Z")}


def test_many_events_keep_to_the_level() -> None:
    done = subprocess.run([sys.executable, "-c", EACH.format(level="WARNING")], capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""


WARN = """
import warnings
from sms_backend.core.logs import configure
configure("WARNING")
warnings.warn("+447911123456 has no zone", RuntimeWarning)
"""


def test_a_warning_of_python_is_an_event_without_its_words() -> None:
    done = subprocess.run([sys.executable, "-c", WARN], capture_output=True, text=True, timeout=30, check=True)
    (line,) = done.stderr.splitlines()
    event = json.loads(line)
    assert (event["event"], event["level"], event["warning"]) == ("python.warning", "warning", "RuntimeWarning")
    assert "447911123456" not in line
