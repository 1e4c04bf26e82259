"""What libraries and Python itself say beside our own events: a JSON line too, without their words."""

import json
import subprocess
import sys

WARN = """
import warnings
from sms_gateway.observability.logs import configure
configure("WARNING")
warnings.warn("+447911123456 has no zone", RuntimeWarning)
"""


def test_a_warning_of_python_is_an_event_without_its_words() -> None:
    done = subprocess.run([sys.executable, "-c", WARN], capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    event = json.loads(line)
    assert (event["event"], event["level"], event["error"]) == ("python.warning", "warning", "RuntimeWarning")
    assert "447911123456" not in line
