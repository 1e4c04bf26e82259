"""
What is taken out of rows that hold personal data: numbers, texts, and whatever a client or a vendor wrote in words of its own.

The rest stays: when, by whom, at what price and with what outcome. It goes with its partition.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from sms_backend.messages import sweeper_runs
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.pseudonyms import pseudonym
from sms_contract.ids import floor
from sms_contract.status import FINAL

_CHUNK = 1000
#: A row may be stored so long after the moment that its id carries: what was accepted waits in the broker while PostgreSQL is away.
_STORED_LATE = timedelta(days=2)
#: What is parked may still be put back and sent for as long as any message may live.
_PARKED_AT_LEAST = timedelta(days=34)
_FINAL = ", ".join(f"'{status}'" for status in sorted(FINAL))

#: Of a URL the host stays: a client may write into the rest what it likes.
_HOST = "substring({column} from '^[^/]*//[^/?#]*')"


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """How a table loses what is personal."""

    key: str
    assignments: str  #: `x.name`: what a number becomes
    open: str  #: rows that are still needed as they are
    left: str  #: rows that still hold something
    subject: str = "''"  #: the column with the person's number


def _no_pseudonym(column: str) -> str:
    return f"{column} NOT LIKE '#%%' AND {column} <> 'erased'"


ERASURES = {
    "messages": Erasure(
        key="id",
        subject="t.recipient",
        assignments="recipient = x.name, text = '', wire_text = NULL, metadata = '{}', error_detail = NULL, "
        f"callback_url = {_HOST.format(column='t.callback_url')}, "
        # Its own word for the message a client needs; but not if the number is in it.
        "reference = CASE WHEN position(ltrim(t.recipient, '+') IN t.reference) > 0 THEN NULL ELSE t.reference END",
        open=f"t.status NOT IN ({_FINAL})",
        left=_no_pseudonym("t.recipient"),
    ),
    "attempts": Erasure(key="message_id", assignments="error_detail = NULL", open="false", left="t.error_detail IS NOT NULL"),
    "callbacks": Erasure(
        key="id", assignments="path = '', query = '', headers = '[]', body = ''", open="t.judged_at IS NULL", left="t.path <> ''"
    ),
    "webhook_deliveries": Erasure(
        key="id", assignments=f"body = '', url = {_HOST.format(column='t.url')}", open="t.state = 'pending'", left="t.body <> ''"
    ),
    "inbound_messages": Erasure(
        key="id",
        subject="t.sender",
        assignments="sender = x.name, text = ''",
        open="t.client_id IS NOT NULL AND t.handed_on_at IS NULL AND t.received_at > now() - interval '1 day'",
        left=_no_pseudonym("t.sender"),
    ),
}
PARKED = "body = '', headers = '{}'"


def age(cutoff: datetime, now: datetime) -> int:
    """
    Take what is personal out of rows from before `cutoff` that are not open; numbers become pseudonyms. Returns how many rows that were.

    It goes on where it stopped, but looks anew at the last days: a row may be stored long after the moment that its id carries. Safe to
    run twice at once.
    """
    changed = sum(_walk(table, erasure, cutoff) for table, erasure in ERASURES.items())
    with hot_cursor() as cursor:
        last = min(cutoff, now - _PARKED_AT_LEAST)
        condition = "body <> '' AND (replayed_at < %s OR parked_at < %s)"
        changed += cursor.execute(f"UPDATE parked SET {PARKED} WHERE {condition}", (cutoff, last)).rowcount  # noqa: S608 - constants
    return changed


def erase(cursor: psycopg.Cursor[Any], table: str, names: Mapping[UUID, str]) -> int:
    """Take what is personal out of rows that are not open, by their keys; a number becomes what is given. Returns how many rows changed."""
    if not names:
        return 0
    erasure = ERASURES[table]
    ids = sorted(names)
    return cursor.execute(
        f"UPDATE {table} t SET {erasure.assignments} FROM unnest(%s::uuid[], %s::text[]) AS x (id, name) "  # noqa: S608 - names of ours
        f"WHERE t.{erasure.key} = x.id AND t.{erasure.key} = ANY(%s::uuid[]) AND t.{erasure.key} BETWEEN %s AND %s "
        f"AND NOT ({erasure.open})",
        (ids, [names[one] for one in ids], ids, ids[0], ids[-1]),
    ).rowcount


def _walk(table: str, erasure: Erasure, cutoff: datetime) -> int:
    """Chunk by chunk from where all before is done; that place moves on as long as nothing open is met."""
    name, end = f"personal_data:{table}", _floor(cutoff)
    place = sweeper_runs.reached(name) or floor(0)
    done_to = _floor(cutoff - _STORED_LATE)
    changed = 0
    while True:
        with hot_cursor() as cursor:
            rows = _rows(cursor, table, erasure, place, end)
            # Rows of one key (the attempts of a message) go together, wherever a chunk ends.
            changed += erase(cursor, table, {row.id: pseudonym(row.subject) for row in rows if not row.open})
        done_to = min([done_to, *(row.id for row in rows if row.open)])
        if len(rows) < _CHUNK:
            break
        place = rows[-1].id
    sweeper_runs.reach(name, done_to)
    return changed


def _rows(cursor: psycopg.Cursor[Any], table: str, erasure: Erasure, place: UUID, end: UUID) -> list[Any]:
    return cursor.execute(
        f"SELECT t.{erasure.key} AS id, {erasure.subject} AS subject, {erasure.open} AS open FROM {table} t "  # noqa: S608 - names of ours
        f"WHERE t.{erasure.key} >= %s AND t.{erasure.key} < %s AND (({erasure.open}) OR ({erasure.left})) "
        f"ORDER BY t.{erasure.key} LIMIT {_CHUNK}",
        (place, end),
    ).fetchall()


def _floor(moment: datetime) -> UUID:
    return floor(int(moment.timestamp() * 1000))
