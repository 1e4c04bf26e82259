"""
When a queue's refusals are a reason to change the connection.

RabbitMQ's classic answer to a publish that it does not take is `basic.nack`: the queue is full (`reject-publish`). In a cluster there is a
second reason. Where the first publish of a channel to a quorum queue falls between the end of the node that led and the election of
another, RabbitMQ 3.10 refuses every further one on that channel too, for as long as that node is away; another channel is right at once.
The two look alike, so both are met alike: rarely enough that a queue that is full for hours costs a connection every half a minute.
"""

import time
from collections.abc import Callable
from typing import Final

#: Refusals of one queue with nothing taken between them.
ENOUGH: Final = 3
#: Seconds from one change to the next while the refusals go on: the first, and the longest.
SHORTEST: Final = 1.0
LONGEST: Final = 30.0


class Refusals:
    """Counts what each queue refuses in a row."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._refused: dict[str, int] = {}
        self._wait = SHORTEST
        self._not_before = 0.0

    def heard(self, queue: str, *, refused: bool) -> bool:
        """Whether it is time for another connection, now that a queue has refused a publish, or has not."""
        if not refused:
            if self._refused.pop(queue, None) is not None and not self._refused:
                self._wait = SHORTEST
            return False
        self._refused[queue] = self._refused.get(queue, 0) + 1
        now = self._clock()
        if self._refused[queue] < ENOUGH or now < self._not_before:
            return False
        self._refused[queue] = 0
        self._not_before = now + self._wait
        self._wait = min(2 * self._wait, LONGEST)
        return True
