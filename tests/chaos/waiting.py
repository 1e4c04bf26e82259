"""Waiting for what must come true."""

import time
from collections.abc import Callable


class NotSoError(AssertionError):
    """A condition that was waited for did not come true; says what was seen last."""


def until[T](condition: Callable[[], T], *, seconds: float, what: str) -> T:
    """The first truthy value of a condition."""
    deadline = time.monotonic() + seconds
    while True:
        seen = condition()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise NotSoError(f"{what}: not within {seconds:.0f} s; last seen: {seen!r}")
        time.sleep(0.05)
