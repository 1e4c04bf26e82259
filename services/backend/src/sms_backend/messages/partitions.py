"""
Partitions as time goes by: made ahead, strays moved out of the way first, and dropped past retention, never with a row that is still open.

A new partition is attached, not made in place, and an old one detached under a short `lock_timeout`: traffic waits for moments only, and
where the lock is not to be had it is the next run's.
Source: https://www.postgresql.org/docs/15/ddl-partitioning.html#DDL-PARTITIONING-DECLARATIVE-MAINTENANCE
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
import structlog

from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.schema import AHEAD, TABLES, WEEK, partition_name, week_of
from sms_contract.ids import floor

log = structlog.get_logger()

#: What a row must not be for its week to go. Each condition has an index of its own: it is asked again under the lock.
OPEN = {
    "messages": ("status IN ('queued', 'scheduled')", "status = 'sending'", "status = 'sent'"),
    "webhook_deliveries": ("state = 'pending'",),
    "callbacks": ("judged_at IS NULL",),
}
_LOCK = "smsgw.partitions"
_LOCK_SECONDS = 2
#: Moving strays may take its time; there are none while this runs as it should.
_MOVE_SECONDS = 300
_CHUNK = 5000
_WEEK_OF_NAME = re.compile(r"_(\d{4})w(\d{2})$")


@dataclass(frozen=True, kw_only=True)
class Retired:
    """What a run has taken away, and what it had to leave."""

    dropped: list[str]
    kept: dict[str, str]  #: partition to why
    strays: int  #: rows taken out of default partitions


def ensure(now: datetime) -> list[str]:
    """
    Make this week's and the next weeks' partitions; returns the names of all that should be there. Safe to run twice at once.

    Raises `psycopg.Error` where a lock is not to be had; what has been made by then stays.
    """
    # Last week too: a message accepted before midnight may be stored after it.
    wanted = {partition_name(table, week): (table, week) for table in TABLES for week in _weeks(now)}
    with hot_cursor() as cursor:
        there = _existing(cursor)
    for name, (table, week) in wanted.items():
        if name not in there:
            with _altering() as cursor:
                if name not in _existing(cursor):
                    _make(cursor, name, table, week)
    return list(wanted)


def weeks_ahead(cursor: psycopg.Cursor[Any], now: datetime) -> int:
    """For how many weeks after this one every table has its partition."""
    there = _existing(cursor)
    count = 0
    while all(partition_name(table, week_of(now) + (count + 1) * WEEK) in there for table in TABLES):
        count += 1
    return count


def strays(cursor: psycopg.Cursor[Any]) -> bool:
    """Whether any row lies in a default partition."""
    return any(_exists(cursor, f"{table}_default", "true") for table in TABLES)


def retire(cutoff: datetime) -> Retired:
    """
    Drop each week that was over before `cutoff`, what belongs to messages first; one that still holds an open row is kept whole.

    Safe to run twice at once. Raises `psycopg.Error` where a lock is not to be had; what is gone by then is gone.
    """
    dropped: list[str] = []
    kept: dict[str, str] = {}
    with hot_cursor() as cursor:
        there = _existing(cursor)
    for week in sorted({week for name in there if (week := _week_of(name)) is not None and week + WEEK <= cutoff}):
        names = {table: name for table in _children_first() if (name := partition_name(table, week)) in there}
        try:
            with hot_cursor() as cursor:
                held = [name for table, name in names.items() if _is_open(cursor, table, name)]
        except psycopg.errors.UndefinedTable:
            continue  # another run drops this week now, and goes on with it
        if held:
            kept |= dict.fromkeys(held, "it holds rows that are not final")
            log.warning("retention.kept", partitions=held)
            continue
        dropped += [name for table, name in names.items() if _drop(table, name)]
    return Retired(dropped=dropped, kept=kept, strays=_retire_strays(cutoff))


def _weeks(now: datetime) -> list[datetime]:
    return [week_of(now) + step * WEEK for step in range(-1, AHEAD + 1)]


def _week_of(name: str) -> datetime | None:
    found = _WEEK_OF_NAME.search(name)
    return datetime.fromisocalendar(int(found[1]), int(found[2]), 1).replace(tzinfo=UTC) if found else None


def _existing(cursor: psycopg.Cursor[Any]) -> set[str]:
    rows = cursor.execute(
        """
        SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = ANY(SELECT to_regclass(t) FROM unnest(%s::text[]) AS t)
        """,
        (list(TABLES),),
    ).fetchall()
    return {row.name for row in rows}


def _children_first() -> list[str]:
    """Messages last: what belongs to them carries their id, and is nothing without them."""
    return [*(table for table in TABLES if table != "messages"), "messages"]


def _make(cursor: psycopg.Cursor[Any], name: str, table: str, week: datetime) -> None:
    start, end = floor(_ms(week)), floor(_ms(week + WEEK))
    key = TABLES[table]
    # Whoever wants to put another stray there meanwhile waits, and finds the partition.
    cursor.execute(f"LOCK TABLE {table}_default IN ACCESS EXCLUSIVE MODE")
    # Dead rows pile up where statuses change several times a minute: vacuum early, by the size of the change.
    cursor.execute(
        f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMPRESSION) "
        "WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05)"
    )
    cursor.execute(
        f"WITH strays AS (DELETE FROM {table}_default WHERE {key} >= %s AND {key} < %s RETURNING *) "  # noqa: S608 - names of ours
        f"INSERT INTO {name} SELECT * FROM strays",
        (start, end),
    )
    if cursor.rowcount:
        log.warning("partitions.strays_moved", partition=name, rows=cursor.rowcount)
    cursor.execute(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{start}') TO ('{end}')")


def _drop(table: str, name: str) -> bool:
    with _altering() as cursor:
        if name not in _existing(cursor):
            return False
        cursor.execute(f"LOCK TABLE ONLY {table} IN ACCESS EXCLUSIVE MODE")
        if _is_open(cursor, table, name):
            return False
        cursor.execute(f"ALTER TABLE {table} DETACH PARTITION {name}")
        cursor.execute(f"DROP TABLE {name}")
    log.info("retention.dropped", partition=name)
    return True


def _retire_strays(cutoff: datetime) -> int:
    """Old rows of default partitions, row by row: no partition takes them along."""
    last = floor(_ms(cutoff))
    with hot_cursor() as cursor:
        for table in OPEN:
            if _is_open(cursor, table, f"{table}_default", f"{TABLES[table]} < '{last}'"):
                log.warning("retention.kept", partitions=[f"{table}_default"])
                return 0
    gone = 0
    for table in _children_first():
        key, name = TABLES[table], f"{table}_default"
        while True:
            with hot_cursor() as cursor:
                cursor.execute(
                    f"DELETE FROM {name} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {name} WHERE {key} < %s LIMIT {_CHUNK} FOR UPDATE SKIP LOCKED))",  # noqa: S608, E501 - names of ours
                    (last,),
                )
                gone += cursor.rowcount
            if cursor.rowcount < _CHUNK:
                break
    return gone


def _is_open(cursor: psycopg.Cursor[Any], table: str, name: str, among: str = "true") -> bool:
    return any(_exists(cursor, name, f"{condition} AND {among}") for condition in OPEN.get(table, ()))


def _exists(cursor: psycopg.Cursor[Any], name: str, condition: str) -> bool:
    row = cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {name} WHERE {condition}) AS found").fetchone()  # noqa: S608 - names of ours
    return bool(row is not None and row.found)


@contextmanager
def _altering() -> Iterator[psycopg.Cursor[Any]]:
    """A transaction that alone makes or drops partitions, and gives up soon where traffic has the table."""
    with hot_cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")
        cursor.execute(f"SET LOCAL statement_timeout = '{_MOVE_SECONDS}s'")
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (_LOCK,))
        yield cursor


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
