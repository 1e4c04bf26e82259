"""The gateway as the benchmarks run it: one worker, on their own ground, everything on; and what it counts itself."""

import os
import re
import sys
from pathlib import Path
from typing import Final

from bench.ground import Ground
from sms_stack.calls import call
from sms_stack.supervision import wait_until

COMMAND: Final = [sys.executable, "-m", "sms_gateway"]
#: Server B's own settings: the gateway must not know them.
_NOT_FOR_THE_GATEWAY = {"DATABASE_URL", "SMSGW_SECRET_KEY", "SMSGW_CREDENTIAL_KEYS", "SMSGW_CALLBACK_SECRET", "SMSGW_HOME"}


def environment(own: Ground, *, port: int, metrics: Path) -> dict[str, str]:
    """Its settings."""
    return {
        **{name: value for name, value in os.environ.items() if name not in _NOT_FOR_THE_GATEWAY},
        "RABBITMQ_URL": own.rabbitmq_url,
        "REDIS_URL": own.redis_url,
        "PUBLIC_BASE_URL": f"http://127.0.0.1:{port}",
        "SMSGW_KEY_PEPPER": own.pepper,
        "SMSGW_LOG_LEVEL": "INFO",
        "SMSGW_GATEWAY_HOST": "127.0.0.1",
        "SMSGW_GATEWAY_PORT": str(port),
        "SMSGW_GATEWAY_WORKERS": "1",
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
    }


def accepted_in_the_end(port: int) -> int:
    """How many messages it says it has accepted, once what was under way when the last run ended has ended too."""
    counted = [-1, _accepted(port)]

    def settled() -> bool:
        counted[:] = counted[1], _accepted(port)
        return counted[0] == counted[1]

    wait_until(settled, seconds=10, pause=0.5)
    return counted[1]


def samples(port: int, name: str) -> dict[str, float]:
    """A metric's values by its labels."""
    text = call(f"http://127.0.0.1:{port}/metrics").text
    return {labels: float(value) for labels, value in re.findall(rf"^{name}{{([^}}]*)}} (\S+)$", text, re.MULTILINE)}


def _accepted(port: int) -> int:
    return int(sum(samples(port, "smsgw_messages_accepted_total").values()))
