"""The time by Redis, and the days of a client's time zone."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo


class Clock:
    """Milliseconds by the clock of Redis: a monotonic clock with an offset, so that a step of the local one changes nothing."""

    def __init__(self) -> None:
        self._anchor = (time.time() - time.monotonic()) * 1000

    def now_ms(self) -> int:
        return int(time.monotonic() * 1000 + self._anchor)

    def adjust(self, redis_ms: float, *, before: float, after: float) -> None:
        """Take over what `TIME` said between two readings of the monotonic clock, in seconds."""
        self._anchor = redis_ms - (before + after) * 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day of a time zone."""

    name: str  #: `YYYYMMDD`
    starts_ms: int
    ends_ms: int


@lru_cache(maxsize=1024)
def zone(name: str) -> tzinfo:
    """A time zone by its name; UTC where this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC


class Calendar:
    """Which day it is where; the answer is kept until that day ends."""

    def __init__(self) -> None:
        self._days: dict[str, Day] = {}

    def day(self, zone_name: str, now_ms: int) -> Day:
        day = self._days.get(zone_name)
        if day is None or not day.starts_ms <= now_ms < day.ends_ms:
            day = self._days[zone_name] = _day(zone(zone_name), now_ms)
        return day


def _day(where: tzinfo, now_ms: int) -> Day:
    date = datetime.fromtimestamp(now_ms / 1000, where).date()
    starts, ends = (
        # Local midnights, not 24 hours apart: a day on which the clocks change has 23 or 25.
        int(datetime(d.year, d.month, d.day, tzinfo=where).timestamp() * 1000)
        for d in (date, date + timedelta(days=1))
    )
    return Day(name=f"{date:%Y%m%d}", starts_ms=starts, ends_ms=ends)
