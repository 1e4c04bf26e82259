"""The gateway as the benchmarks run it: on their own ground, everything on; and what it counts itself."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.errors import Unprepared
from bench.ground import Ground
from bench.processes import running
from bench.stage import Stage
from sms_stack.calls import call
from sms_stack.supervision import wait_until

COMMAND: Final = [sys.executable, "-m", "sms_gateway"]
#: Server B's own settings: the gateway must not know them.
_NOT_FOR_THE_GATEWAY = {"DATABASE_URL", "SMSGW_SECRET_KEY", "SMSGW_CREDENTIAL_KEYS", "SMSGW_CALLBACK_SECRET", "SMSGW_HOME"}


@contextmanager
def started(on: Stage, *, port: int, workers: int = 1) -> Iterator[int]:
    """The gateway, until all of its workers are ready; hands out its pid."""
    metrics = on.folder / "metrics"
    metrics.mkdir()
    settings = environment(on.own, port=port, metrics=metrics, workers=workers)
    with running(COMMAND, environment=settings, log=on.folder / "gateway.log", ready=f"http://127.0.0.1:{port}/readyz") as pid:
        # One that is ready answers for all of them; what each says of itself is in a file of its own.
        if not wait_until(lambda: _all_ready(port, metrics, workers), seconds=30, pause=0.2):
            raise Unprepared("Not every worker of the gateway became ready within 30 s.")
        yield pid


def environment(own: Ground, *, port: int, metrics: Path, workers: int = 1) -> dict[str, str]:
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
        "SMSGW_GATEWAY_WORKERS": str(workers),
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
    }


def accepted_in_the_end(port: int) -> int:
    """How many messages it says it has accepted, once what was under way when the last run ended has ended too."""
    counted = [-1, -1]

    def settled() -> bool:
        counted[:] = counted[1], _accepted(port)
        return counted[0] == counted[1]

    # What another worker counted is told a second later.
    wait_until(settled, seconds=15, pause=1.2)
    return counted[1]


def samples(port: int, name: str) -> dict[str, float]:
    """A metric's values by its labels."""
    text = call(f"http://127.0.0.1:{port}/metrics").text
    return {labels: float(value) for labels, value in re.findall(rf"^{name}{{([^}}]*)}} (\S+)$", text, re.MULTILINE)}


def _all_ready(port: int, metrics: Path, workers: int) -> bool:
    text = call(f"http://127.0.0.1:{port}/metrics").text
    least = [re.search(rf"^{name} (\S+)$", text, re.MULTILINE) for name in ("smsgw_cache_ready", "smsgw_broker_up")]
    return len(list(metrics.glob("gauge_livemin_*.db"))) == workers and all(found and float(found[1]) == 1 for found in least)


def _accepted(port: int) -> int:
    return int(sum(samples(port, "smsgw_messages_accepted_total").values()))
