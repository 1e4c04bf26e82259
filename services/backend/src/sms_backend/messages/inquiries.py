"""
Asking providers about attempts, as SQL: what an unclear outcome was (a look-up), and what became of messages (polled reports).

Who takes an inquiry moves its time first, so that it is asked by one at a time, and again if that one falls silent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

import psycopg


class Ask(StrEnum):
    """What is asked."""

    LOOK_UP = "look_up"
    POLL = "poll"


#: Seconds between two look-ups that both count.
APART = 60.0
#: Polls come at growing intervals: half of the age, within these bounds (seconds), for as long as a report is waited for (hours).
_SOONEST = 5
_LATEST = 3600
_HOURS = 72
#: Whoever took an inquiry and fell silent is forgotten after this (seconds).
_TAKEN = 60

_LATER = """
INSERT INTO inquiries (message_id, number, provider, kind, due_at, since)
SELECT id, number, provider, kind, now() + make_interval(secs => after), now()
FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::text[], %s::float8[]) AS x (id, number, provider, kind, after)
ON CONFLICT (message_id, number) DO UPDATE SET kind = excluded.kind, due_at = excluded.due_at, since = excluded.since
"""

_TAKE = f"""
WITH due AS (
    SELECT message_id, number FROM inquiries WHERE due_at <= now() ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
)
UPDATE inquiries i SET due_at = now() + CASE
    WHEN i.kind = 'look_up' THEN interval '{_TAKEN} seconds'
    ELSE make_interval(secs => greatest({_SOONEST}, least({_LATEST}, extract(epoch FROM now() - i.since) / 2)))
END
FROM due WHERE i.message_id = due.message_id AND i.number = due.number
RETURNING i.message_id, i.number, i.provider, i.kind, i.since < now() - interval '{_HOURS} hours' AS given_up
"""  # noqa: S608 - constants

#: Of what was taken, what is still open; the message as `retry.settlement` wants it, as it was when the attempt was claimed.
_STILL_OPEN = """
SELECT a.message_id AS id, a.number, a.provider, coalesce(a.reference, a.message_id::text) AS reference, a.outcome,
    a.provider_message_id, m.client_id, m.mode, m.lane, m.recipient, m.sender, m.segments, m.providers, a.number - 1 AS attempts, m.round,
    m.tried, m.unsuitable, m.resends, m.failovers
FROM unnest(%s::uuid[], %s::int[]) AS x (id, number)
JOIN attempts a ON a.message_id = x.id AND a.number = x.number
JOIN messages m ON m.id = x.id
WHERE a.message_id = ANY(%s::uuid[]) AND a.message_id BETWEEN %s AND %s AND m.id = ANY(%s::uuid[]) AND m.id BETWEEN %s AND %s
  AND ((a.outcome = 'unknown' AND m.status = 'sending' AND m.attempts = a.number)
       OR (a.outcome = 'accepted' AND (a.report IS NULL OR a.report = 'sent') AND m.status IN ('sent', 'sending', 'queued')))
"""

_SEEN = "SELECT id FROM messages WHERE id = ANY(%s::uuid[]) AND id BETWEEN %s AND %s"

_FORGET = """
DELETE FROM inquiries i USING unnest(%s::uuid[], %s::int[]) AS x (id, number) WHERE i.message_id = x.id AND i.number = x.number
"""

_MISSED = """
UPDATE attempts a SET lookups_missed = lookups_missed + 1
WHERE a.message_id = %s AND a.number = %s AND a.outcome = 'unknown' RETURNING a.lookups_missed
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What to ask now."""

    kind: Ask
    row: Any  #: `id`, `number`, `provider`, `reference`, `provider_message_id`, and the message as `retry.settlement` wants it


def ask_later(cursor: psycopg.Cursor[Any], questions: Sequence[tuple[UUID, int, str, Ask | None, float]]) -> None:
    """Note (message, number, provider, what, seconds from now)."""
    if questions:
        cursor.execute(_LATER, tuple(list(column) for column in zip(*questions, strict=True)))


def take(cursor: psycopg.Cursor[Any], *, limit: int) -> tuple[int, list[Question]]:
    """What is due, up to `limit`: how many were taken, and those that are still open."""
    taken = cursor.execute(_TAKE, (limit,)).fetchall()
    if not taken:
        return 0, []
    ids = [row.message_id for row in taken]
    bounds = (min(ids), max(ids))
    rows = cursor.execute(_STILL_OPEN, (ids, [row.number for row in taken], ids, *bounds, ids, *bounds)).fetchall()
    found = {(row.id, row.number): row for row in rows}
    questions: list[Question] = []
    over: list[tuple[UUID, int]] = []
    closed = [row.message_id for row in taken if (row.message_id, row.number) not in found]
    seen = {row.id for row in cursor.execute(_SEEN, (closed, *bounds)).fetchall()} if closed else set()
    for row in taken:
        place = (row.message_id, row.number)
        about = found.get(place)
        if about is None and row.message_id not in seen and not row.given_up:
            # Out of sight, as while its partition is detached: its turn comes again.
            continue
        if about is None or row.given_up or (row.kind == Ask.LOOK_UP) != (about.outcome == "unknown"):
            over.append(place)
        else:
            questions.append(Question(kind=Ask(row.kind), row=about))
    forget(cursor, over)
    return len(taken), questions


def forget(cursor: psycopg.Cursor[Any], places: Sequence[tuple[UUID, int]]) -> None:
    """These are answered, or nobody wants to know any more."""
    if places:
        cursor.execute(_FORGET, ([message_id for message_id, _ in places], [number for _, number in places]))


def missed(cursor: psycopg.Cursor[Any], place: tuple[UUID, int]) -> int:
    """A look-up has not found it: how many times by now. 0: it was found out meanwhile."""
    row = cursor.execute(_MISSED, place).fetchone()
    return 0 if row is None else int(row.lookups_missed)
