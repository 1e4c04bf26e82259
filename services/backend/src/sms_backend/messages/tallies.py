"""
How many messages and attempts there are of a kind, without counting them.

Triggers (`tally_schema.py`) write down what each statement changes, in its transaction; `fold` adds that up, exactly once each.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

#: Slots of five minutes are kept this long, those of an hour for good enough.
FINE = timedelta(days=3)
COARSE = timedelta(days=400)
_GRACE = timedelta(hours=2)

#: Taken and added in one statement, so that a change counts once, whoever else folds. In order, so that two never wait for each other.
_FOLD = """
WITH taken AS (
    DELETE FROM tally_changes WHERE id IN (SELECT id FROM tally_changes ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
    RETURNING kind, at, mode, provider, country, status, code, bin, n
), slots AS (
    SELECT s.minutes, t.kind, date_bin(make_interval(mins => s.minutes), t.at, timestamptz '2000-01-01') AS at,
        t.mode, t.provider, t.country, t.status, t.code, t.bin, sum(t.n) AS n
    FROM taken t CROSS JOIN (VALUES (5, %(fine)s::timestamptz), (60, '-infinity')) AS s (minutes, since)
    WHERE t.at >= s.since
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9 HAVING sum(t.n) <> 0
    ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9
), added AS (
    INSERT INTO tallies AS y (minutes, kind, at, mode, provider, country, status, code, bin, n) SELECT * FROM slots
    ON CONFLICT (minutes, kind, at, mode, provider, country, status, code, bin) DO UPDATE SET n = y.n + excluded.n
)
SELECT count(*) AS folded FROM taken
"""
_PRUNE = """
DELETE FROM tallies WHERE (minutes = 5 AND at < %(fine)s) OR (minutes = 60 AND at < %(coarse)s) OR (n = 0 AND at < %(settled)s)
"""
_SUM = "SELECT {columns}, sum(n)::bigint AS n FROM tallies WHERE minutes = %s AND kind = %s AND at >= %s AND at < %s AND mode = ANY(%s)"
_GROUPS = frozenset({"at", "mode", "provider", "country", "status", "code", "bin"})


@dataclass(frozen=True, kw_only=True)
class Window:
    """From when to when, in slots of how many minutes."""

    since: datetime
    until: datetime
    minutes: int  #: 5 or 60
    modes: tuple[str, ...] = ("live",)


def fold(cursor: psycopg.Cursor[Any], now: datetime, *, limit: int) -> int:
    """Add up changes that nobody has; returns how many. Safe to run twice at once."""
    row = cursor.execute(_FOLD, {"limit": limit, "fine": now - FINE}).fetchone()
    assert row is not None
    return int(row.folded)


def prune(cursor: psycopg.Cursor[Any], now: datetime) -> int:
    """Forget what is shown no more, and slots in which nothing is left."""
    # After `fold` has stopped adding to them, or what comes late would be less than nothing.
    fine, coarse = now - FINE - _GRACE, now - COARSE
    return cursor.execute(_PRUNE, {"fine": fine, "coarse": coarse, "settled": now - _GRACE}).rowcount


def sums(cursor: psycopg.Cursor[Any], kind: str, window: Window, *, by: tuple[str, ...]) -> list[Any]:
    """How many in a window, for each of `by`; rows with these names and `n`."""
    assert set(by) <= _GROUPS
    columns = ", ".join(by)
    query = f"{_SUM.format(columns=columns)} GROUP BY {columns} HAVING sum(n) > 0 ORDER BY {columns}"
    modes = [*window.modes, ""]  # attempts say nothing of it
    return cursor.execute(query.encode(), (window.minutes, kind, window.since, window.until, modes)).fetchall()


def quantiles(bins: Mapping[int, int], wanted: Iterable[float]) -> list[float | None]:
    """Seconds below which the wanted shares lie, by the middle of their bin: right to a tenth. Nothing counted: None."""
    total = sum(bins.values())
    found: list[float | None] = []
    for share in wanted:
        seen, answer = 0, None
        for number, n in sorted(bins.items()):
            seen += n
            if seen >= share * total and n > 0:
                answer = 2 ** ((number + 0.5) / 4) / 1000
                break
        found.append(answer)
    return found
