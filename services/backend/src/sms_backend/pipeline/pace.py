"""
How soon a lane is claimed from again: while much comes in, claims wait for each other a little, and take more at once.

What a claim costs is in good part the same for twenty messages and for two hundred. So a claim that found many, and yet all that there
were, is followed by the next one only after a moment, by one thread of this process; others need not wait with it.
"""

import threading
import time
from collections.abc import Callable

from sms_contract.status import TrafficType

#: Seconds between the claims of a busy lane.
GATHER = 0.1
#: From so many messages a claim on, a lane is busy: that is some two hundred a second.
_BUSY = 20


class Pace:
    """One for a process; `now` and `sleep` are given by tests."""

    def __init__(self, now: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep) -> None:
        self._now, self._sleep = now, sleep
        self._lock = threading.Lock()
        self._next: dict[str, float] = {}
        #: Of each lane for which a thread waits: the slots of the hints that its claim will answer.
        self._gathering: dict[str, set[int]] = {}

    def wait(self, lane: str, slot: int | None = None) -> set[int] | None:
        """
        Until the lane may be claimed from; returns the slots of the hints that this claim answers, of which `slot` is the caller's own.

        None: another thread waits for that already, and will find what there is.
        """
        own = set() if slot is None else {slot}
        with self._lock:
            left = self._next.get(lane, 0.0) - self._now()
            if left <= 0:
                return own
            if lane in self._gathering:
                self._gathering[lane] |= own
                return None
            self._gathering[lane] = own
        self._sleep(left)
        with self._lock:
            return self._gathering.pop(lane)

    def claimed(self, lane: str, count: int, limit: int) -> None:
        """What a claim has found. One that is full is followed at once; so is each of a lane in which little happens, and of `otp`."""
        if lane != TrafficType.OTP and _BUSY <= count < limit:
            with self._lock:
                self._next[lane] = self._now() + GATHER


#: The one of this process.
pace = Pace()
