"""What the dashboard says: is it healthy, is it fast, what fails. From tallies alone, whatever there is in the tables."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from sms_backend.messages import tallies
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.tallies import Window
from sms_contract.status import Mode, Status


@dataclass(frozen=True, kw_only=True)
class Span:
    """How far back, and in steps of how many minutes."""

    title: str
    back: timedelta
    slots: int  #: of the tallies that it is made from, in minutes
    step: int


SPANS: Mapping[str, Span] = MappingProxyType(
    {
        "1h": Span(title="Last hour", back=timedelta(hours=1), slots=5, step=5),
        "6h": Span(title="Last 6 hours", back=timedelta(hours=6), slots=5, step=15),
        "24h": Span(title="Last 24 hours", back=timedelta(hours=24), slots=60, step=60),
        "7d": Span(title="Last 7 days", back=timedelta(days=7), slots=60, step=360),
    }
)
#: What a status is to whoever is woken at night.
GROUPS: Mapping[str, tuple[Status, ...]] = MappingProxyType(
    {
        "delivered": (Status.DELIVERED,),
        "sent": (Status.SENT,),
        "under way": (Status.ACCEPTED, Status.SCHEDULED, Status.QUEUED, Status.SENDING),
        "unclear": (Status.UNKNOWN, Status.CANCELED),
        "failed": (Status.UNDELIVERED, Status.FAILED, Status.REJECTED, Status.EXPIRED),
    }
)
_GROUP_OF = {status.value: group for group, statuses in GROUPS.items() for status in statuses}
#: What is counted against delivery: whatever has ended otherwise and was not taken back.
_ENDED_BADLY = {Status.UNDELIVERED.value, Status.FAILED.value, Status.EXPIRED.value}
_MOST_LINES = 12
_QUANTILES = (0.5, 0.95)


@dataclass(frozen=True, kw_only=True)
class Times:
    """Seconds; None where nothing was timed."""

    p50: float | None = None
    p95: float | None = None


@dataclass(frozen=True, kw_only=True)
class Line:
    """One provider or country."""

    name: str
    messages: int
    delivered: int
    failed: int
    taken: Times
    arrived: Times

    @property
    def rate(self) -> float | None:
        """Share of those that have ended."""
        return delivery_rate(self.delivered, self.failed)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Messages that ended with an error, or attempts that met one."""

    code: str
    provider: str
    n: int


@dataclass(frozen=True, kw_only=True)
class Step:
    """One bar: how many messages that were accepted then are what now."""

    at: datetime
    counts: Mapping[str, int]  #: by group


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Everything that tallies say of one span."""

    span: Span
    mode: str
    at: datetime
    steps: Sequence[Step]
    accepted: int
    delivered: int
    failed: int
    taken: Times
    arrived: Times
    providers: Sequence[Line]
    countries: Sequence[Line]
    failures: Sequence[Failure]  #: of messages
    refusals: Sequence[Failure]  #: of attempts, whatever became of their messages

    @property
    def rate(self) -> float | None:
        """Delivered, of those that have ended."""
        return delivery_rate(self.delivered, self.failed)


def delivery_rate(delivered: int, failed: int) -> float | None:
    """None where nothing has ended yet."""
    return delivered / (delivered + failed) if delivered + failed else None


def figures(span: Span, mode: Mode, now: datetime) -> Figures:
    """Read the tallies of a span that ends now."""
    length = timedelta(minutes=span.step)
    until = _floor(now, length) + length
    window = Window(since=until - span.back, until=until, minutes=span.slots, modes=(mode.value,))
    with hot_cursor() as cursor:
        messages = tallies.sums(cursor, "message", window, by=("at", "provider", "country", "status", "code"))
        taken = tallies.sums(cursor, "taken", window, by=("provider", "country", "bin"))
        arrived = tallies.sums(cursor, "arrived", window, by=("provider", "country", "bin"))
        # Attempts do not say of which mode they were; the test provider's are those of test mode.
        attempts = tallies.sums(cursor, "attempt", window, by=("provider", "status", "code"))
    in_mode = [row for row in attempts if (row.provider == "test") == (mode is Mode.TEST)]
    return Figures(
        span=span,
        mode=mode.value,
        at=now,
        steps=_steps(messages, window, length),
        accepted=_total(messages),
        delivered=_total(row for row in messages if row.status == Status.DELIVERED),
        failed=_total(row for row in messages if row.status in _ENDED_BADLY),
        taken=_times(taken),
        arrived=_times(arrived),
        providers=_lines("provider", messages, taken, arrived),
        countries=_lines("country", messages, taken, arrived),
        failures=_failures(row for row in messages if row.code and row.status not in {Status.QUEUED, Status.SENDING}),
        refusals=_failures(row for row in in_mode if row.code and row.status != "accepted"),
    )


def _floor(moment: datetime, length: timedelta) -> datetime:
    start = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return start + (moment - start) // length * length


def _total(rows: Any) -> int:
    return sum(row.n for row in rows)


def _steps(rows: Sequence[Any], window: Window, length: timedelta) -> list[Step]:
    found: dict[datetime, dict[str, int]] = {}
    moment = window.since
    while moment < window.until:
        found[moment] = dict.fromkeys(GROUPS, 0)
        moment += length
    for row in rows:
        found[window.since + (row.at - window.since) // length * length][_GROUP_OF[row.status]] += row.n
    return [Step(at=at, counts=counts) for at, counts in found.items()]


def _times(rows: Sequence[Any]) -> Times:
    bins: dict[int, int] = defaultdict(int)
    for row in rows:
        bins[row.bin] += row.n
    p50, p95 = tallies.quantiles(bins, _QUANTILES)
    return Times(p50=p50, p95=p95)


def _lines(field: str, messages: Sequence[Any], taken: Sequence[Any], arrived: Sequence[Any]) -> list[Line]:
    names = sorted({getattr(row, field) for row in messages} - {""})
    lines = []
    for name in names:
        mine = [row for row in messages if getattr(row, field) == name]
        lines.append(
            Line(
                name=name,
                messages=_total(mine),
                delivered=_total(row for row in mine if row.status == Status.DELIVERED),
                failed=_total(row for row in mine if row.status in _ENDED_BADLY),
                taken=_times([row for row in taken if getattr(row, field) == name]),
                arrived=_times([row for row in arrived if getattr(row, field) == name]),
            )
        )
    return sorted(lines, key=lambda line: (-line.messages, line.name))[:_MOST_LINES]


def _failures(rows: Any) -> list[Failure]:
    found: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        found[row.code, row.provider] += row.n
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [Failure(code=code, provider=provider, n=n) for (code, provider), n in ordered[:_MOST_LINES]]
