"""What Redis says where an answer is welcome and none is necessary: dispatch never waits for it longer than once in a while."""

import threading
import time
from collections.abc import Callable

import redis
import structlog

log = structlog.get_logger()

#: Seconds for which nobody asks again after Redis has failed: a hanging one would cost its time-out at every claim.
REST = 5.0


class BestEffort:
    """Calls Redis, or says without asking that it is away."""

    def __init__(self, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._lock = threading.Lock()
        self._not_before = float("-inf")

    def __call__[T](self, ask: Callable[[], T], otherwise: T) -> T:
        """What `ask` returns; `otherwise` while Redis does not answer."""
        if self._clock() < self._not_before:
            return otherwise
        try:
            return ask()
        except redis.RedisError as error:
            with self._lock:
                self._not_before = self._clock() + REST
            log.warning("redis.done_without", what=self._name, error=type(error).__name__)
            return otherwise
