"""Small tables past their use: rows that nothing can ask for any more. Each may be swept twice, and at the same time."""

from datetime import datetime, timedelta
from typing import Any

import psycopg

from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.schema import TABLES
from sms_contract.ids import floor
from sms_contract.keyspace import IDEMPOTENCY_TTL

_CHUNK = 5000
#: A message is stored within days of its id, and its partition ends up to a week after it.
_ROOM = timedelta(days=7)
#: A key counts for 24 hours after it was reserved; this much more for clocks that differ, and what was taken over late.
KEYS_KEPT = timedelta(seconds=IDEMPOTENCY_TTL) + timedelta(hours=24)


def forget_keys(stored_until: datetime) -> int:
    """Idempotency keys whose repeats would all be stored by now; `stored_until`: all that was published before it is."""
    return _delete("idempotency_keys", "reserved_at < %s", stored_until - KEYS_KEPT)


def forget_aliases(cutoff: datetime) -> int:
    """Second ids of messages that are gone: they came within a day of their messages."""
    return _delete("aliases", "created_at < %s", cutoff - _ROOM)


def forget_usage(cutoff: datetime) -> int:
    """What was charged to days past retention, which is no shorter than Redis keeps a counter for refunds."""
    return _delete("quota_usage", "day < %s", cutoff.date())


def forget_replayed(cutoff: datetime) -> int:
    """What was parked and put back; what was not stays until a person has decided."""
    return _delete("parked", "replayed_at < %s", cutoff)


def forget_inquiries(cutoff: datetime) -> int:
    """Questions about messages that are gone."""
    return _delete("inquiries", "message_id < %s", floor(int((cutoff - _ROOM).timestamp() * 1000)))


def _delete(table: str, condition: str, value: Any) -> int:
    """In chunks, each a short transaction; rows that another sweeper has are left to it."""
    assert table not in TABLES, "a week goes by dropping its partition"
    gone = 0
    while True:
        with hot_cursor() as cursor:
            count = _chunk(cursor, table, condition, value)
        gone += count
        if count < _CHUNK:
            return gone


def _chunk(cursor: psycopg.Cursor[Any], table: str, condition: str, value: Any) -> int:
    found = f"SELECT ctid FROM {table} WHERE {condition} LIMIT {_CHUNK} FOR UPDATE SKIP LOCKED"  # noqa: S608 - names of ours
    return cursor.execute(f"DELETE FROM {table} WHERE ctid = ANY(ARRAY({found}))", (value,)).rowcount  # noqa: S608
