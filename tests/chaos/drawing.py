"""A series of figures as a line of text."""

from collections.abc import Sequence

_STEPS = "▁▂▃▄▅▆▇█"
_WIDTH = 60


def line(series: Sequence[float]) -> str:
    """From nothing at the bottom to the greatest figure at the top, so that what is flat looks flat."""
    if not series:
        return ""
    width = min(_WIDTH, len(series))
    columns = [series[number * len(series) // width : (number + 1) * len(series) // width] for number in range(width)]
    top = max(series) or 1.0
    return "".join(_STEPS[round(max(column) / top * (len(_STEPS) - 1))] for column in columns)
