"""
Counts of the hot path, kept in plain numbers and added to the metrics once a second and before they are read.

With `PROMETHEUS_MULTIPROC_DIR` a metric is a place in a file, and each step of it packs a number and asks for the process id; for what
happens at every request that is too dear. What one process serves at `/metrics` is exact about itself, and a second old about others.
"""

from bisect import bisect_left
from typing import Final

from prometheus_client import Counter, Histogram

_tallies: Final[list["Count | Distribution"]] = []


class Count:
    """Stands before a counter."""

    __slots__ = ("_counter", "_more")

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._more = 0
        _tallies.append(self)

    def inc(self) -> None:
        self._more += 1

    def fold(self) -> None:
        more, self._more = self._more, 0
        if more:
            self._counter.inc(more)


class Distribution:
    """Stands before a histogram: how many observations fell into which bucket, and their sum."""

    __slots__ = ("_bounds", "_histogram", "_more", "_sum")

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._bounds: list[float] = histogram._upper_bounds  # noqa: SLF001
        self._more = [0] * len(self._bounds)
        self._sum = 0.0
        _tallies.append(self)

    def observe(self, amount: float) -> None:
        self._more[bisect_left(self._bounds, amount)] += 1
        self._sum += amount

    def fold(self) -> None:
        # The library has no open way to add more than one observation: its buckets are counters, not yet cumulative.
        for bucket, more in enumerate(self._more):
            if more:
                self._histogram._buckets[bucket].inc(more)  # noqa: SLF001
                self._more[bucket] = 0
        total, self._sum = self._sum, 0.0
        if total:
            self._histogram._sum.inc(total)  # noqa: SLF001


def fold() -> None:
    """Add what has been counted to the metrics."""
    for tally in _tallies:
        tally.fold()
