"""What Redis says where an answer is welcome and none is necessary: dispatch never waits for it longer than once in a while."""

import time
from collections.abc import Callable
from typing import ClassVar

import redis
import structlog

log = structlog.get_logger()

#: Seconds for which nobody asks again after Redis has failed: a hanging one would cost its time-out at every claim.
REST = 5.0


class BestEffort:
    """Calls Redis, or says without asking that it is away: what one has found out all of this process know."""

    not_before: ClassVar[float] = float("-inf")

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__[T](self, ask: Callable[[], T], otherwise: T) -> T:
        """What `ask` returns; `otherwise` while Redis does not answer."""
        if time.monotonic() < BestEffort.not_before:
            return otherwise
        try:
            return ask()
        except redis.RedisError as error:
            BestEffort.not_before = time.monotonic() + REST
            log.warning("redis.done_without", what=self._name, error=type(error).__name__)
            return otherwise
