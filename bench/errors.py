"""
What can go wrong with a benchmark, as sentences for whoever ran it.

* BenchError
  x Unprepared: something that it needs is not there
  x Untrustworthy: it ran, and its figures must not be believed
"""


class BenchError(Exception):
    """The benchmark did not come to a result."""


class Unprepared(BenchError):  # noqa: N818 -- reads as the sentence it is
    """Something that the benchmark needs is not there."""


class Untrustworthy(BenchError):  # noqa: N818
    """It ran, and its figures must not be believed."""
