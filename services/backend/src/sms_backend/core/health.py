"""Whether what Server B stands on answers, asked side by side and never for long."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass

import redis
from django.db import Error as DatabaseError
from django.db import connection

from sms_backend.core import broker
from sms_backend.core.errors import UnreachableError
from sms_backend.core.readiness import readiness

#: Seconds for all checks together: below what probes usually wait.
PATIENCE = 2.5
#: A connection to the broker for every probe would be dear; a good answer is believed this long, in seconds.
_BELIEVED = 5.0
_asking = ThreadPoolExecutor(max_workers=6, thread_name_prefix="health")


@dataclass(frozen=True, kw_only=True)
class Health:
    """What each dependency said: `ok…`, or what is the matter."""

    said: dict[str, str]

    @property
    def ready(self) -> bool:
        return all(line.startswith("ok") for line in self.said.values())

    @property
    def lines(self) -> str:
        """One line a dependency."""
        return "".join(f"{name}: {line}\n" for name, line in self.said.items())


def health() -> Health:
    """Ask all of them."""
    until = time.monotonic() + PATIENCE
    asked = {name: _asking.submit(ask) for name, ask in _CHECKS.items()}
    return Health(said={name: _answer(future, until) for name, future in asked.items()})


def _answer(future: "Future[str]", until: float) -> str:
    try:
        return future.result(timeout=max(0.0, until - time.monotonic()))
    except FutureTimeoutError:
        return f"no answer within {PATIENCE} s"


def _postgresql() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return f"unreachable ({type(error).__name__})"
    finally:
        connection.close()
    return "ok"


def _redis() -> str:
    try:
        state = readiness()
    except redis.RedisError as error:
        return f"unreachable ({type(error).__name__})"
    if not state.admit:
        return "ok, but being rebuilt: nothing is accepted meanwhile"
    return "ok" if state.statuses else "ok, statuses are still being projected"


class _Broker:
    good_at = float("-inf")


def _rabbitmq() -> str:
    if time.monotonic() - _Broker.good_at < _BELIEVED:
        return "ok"
    try:
        with broker.channel():
            _Broker.good_at = time.monotonic()
    except UnreachableError as error:
        return str(error)
    return "ok"


_CHECKS: dict[str, Callable[[], str]] = {"postgresql": _postgresql, "redis": _redis, "rabbitmq": _rabbitmq}
