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
