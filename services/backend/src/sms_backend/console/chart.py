"""Bars as SVG, made here: no script, no canvas, nothing that a policy has to allow, and the same numbers as a table beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sms_backend.console.figures import GROUPS, Figures, Step

WIDTH, HEIGHT = 720, 160
_GAP = 2


@dataclass(frozen=True, kw_only=True)
class Rect:
    """One part of a bar; `group` says its colour."""

    group: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Stacked bars, and what they say in words."""

    rects: Sequence[Rect]
    ticks: Sequence[tuple[float, str]]  #: where, and what
    top: int
    said: str


def chart(figures: Figures) -> Chart:
    """Messages by what they are now, by when they were accepted."""
    steps = figures.steps
    top = max((sum(step.counts.values()) for step in steps), default=0)
    width = WIDTH / max(1, len(steps))
    rects: list[Rect] = []
    for index, step in enumerate(steps):
        rects += _bar(step, x=index * width, width=width, top=top)
    every = max(1, len(steps) // 6)
    written = "%H:%M" if figures.span.back.days < 2 else "%d %b"
    ticks = [(index * width, step.at.strftime(written)) for index, step in enumerate(steps) if index % every == 0]
    totals = {group: sum(step.counts[group] for step in steps) for group in GROUPS}
    said = f"{figures.span.title}: {figures.accepted} accepted; " + ", ".join(f"{n} {group}" for group, n in totals.items())
    return Chart(rects=rects, ticks=ticks, top=top, said=said)


def _bar(step: Step, *, x: float, width: float, top: int) -> list[Rect]:
    parts: list[Rect] = []
    y = float(HEIGHT)
    for group, n in step.counts.items():
        height = HEIGHT * n / top if top else 0.0
        y -= height
        if n:
            parts.append(Rect(group=group.replace(" ", "-"), x=x + _GAP / 2, y=y, width=width - _GAP, height=height))
    return parts
