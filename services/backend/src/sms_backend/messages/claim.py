"""
Claiming due messages: one claim, one attempt.

Each client in turn gets its share of a claim, found by skipping from client to client along `messages_due`, never by a window over the
backlog.
"""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import msgspec
import psycopg

from sms_backend.messages.arrays import plain, texts, uuids
from sms_backend.messages.references import references
from sms_backend.messages.store import project_later
from sms_contract.ids import floor
from sms_contract.status import Status

#: Seconds after which an attempt that is still under way is shown.
_SHOW_SENDING_AFTER = 0.5
#: Whom a claim looks at: no message waits longer than its latest `send_at` (30 days) and validity (3 days).
_HORIZON_MS = 34 * 24 * 3600 * 1000

_DUE = """
WITH RECURSIVE clients AS (
    (SELECT client_id FROM messages
     WHERE lane = %(lane)s AND status IN ('queued', 'scheduled') AND id >= %(floor)s
     ORDER BY client_id LIMIT 1)
    UNION ALL
    SELECT (SELECT m.client_id FROM messages m
            WHERE m.lane = %(lane)s AND m.status IN ('queued', 'scheduled') AND m.id >= %(floor)s AND m.client_id > c.client_id
            ORDER BY m.client_id LIMIT 1)
    FROM clients c WHERE c.client_id IS NOT NULL
), due AS (
    SELECT c.client_id FROM clients c
    WHERE c.client_id IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM accounts_client a WHERE a.id = c.client_id AND a.suspended)
      -- Read at each claim, so that a pause is obeyed at once. One that names a provider is the selection's.
      AND NOT EXISTS (
        SELECT 1 FROM routing_pause p
        WHERE p.provider_id IS NULL AND coalesce(p.client_id, c.client_id) = c.client_id AND coalesce(p.lane, %(lane)s) = %(lane)s
      )
      AND EXISTS (
        SELECT 1 FROM messages m
        WHERE m.lane = %(lane)s AND m.client_id = c.client_id AND m.status IN ('queued', 'scheduled')
          AND m.next_attempt_at <= now() AND m.id >= %(floor)s
      )
), share AS (SELECT greatest(5, ceil(%(limit)s::numeric / greatest(1, count(*))))::int AS most FROM due)
-- From a different client each time: where there are more than a claim has room for, each gets its turn.
SELECT picked.* FROM (SELECT client_id FROM due ORDER BY random()) due, LATERAL (
    SELECT id, client_id, mode, lane, recipient, sender, text, wire_text, encoding, segments, providers, attempts, round, tried, unsuitable,
           resends, failovers, provider, on_unknown, expires_at, traceparent, now() AS claimed_at
    FROM messages m
    WHERE m.lane = %(lane)s AND m.client_id = due.client_id AND m.status IN ('queued', 'scheduled')
      AND m.next_attempt_at <= now() AND m.expires_at > now() AND m.id >= %(floor)s
      AND m.cancel_requested_at IS NULL
    ORDER BY m.next_attempt_at
    LIMIT (SELECT most FROM share)
    FOR UPDATE SKIP LOCKED
) picked
LIMIT %(limit)s
"""

# What is due may lie far apart. So what joins names its ids too: between the least and the greatest there may be any number of others, and
# a plan that is made without them reads them all.
_MARK = """
UPDATE messages m SET status = 'sending', version = m.version + 1, attempts = m.attempts + 1, provider = x.provider,
    lease_until = now() + make_interval(secs => %s), unknown_until = NULL, updated_at = now()
FROM unnest(%s::uuid[], %s::text[]) AS x (id, provider)
WHERE m.id = x.id AND m.id = ANY(%s::uuid[]) AND m.id BETWEEN %s AND %s
"""

_START = """
INSERT INTO attempts (message_id, number, provider, reference, outcome, decision, lookups_missed, started_at)
SELECT message_id, number, provider, nullif(reference, message_id::text), 'started', decision, 0, now()
FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::text[], %s::jsonb[]) AS x (message_id, number, provider, reference, decision)
"""

_POSTPONE = """
UPDATE messages m SET next_attempt_at = now() + make_interval(secs => x.seconds), status = 'queued', version = m.version + 1,
    updated_at = now()
FROM unnest(%s::uuid[], %s::float8[]) AS x (id, seconds)
WHERE m.id = x.id AND m.id = ANY(%s::uuid[]) AND m.id BETWEEN %s AND %s
"""


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that is about to be made."""

    message: Any  #: a row of `due`
    provider: str
    decision: dict[str, Any]

    @property
    def number(self) -> int:
        """Of this attempt, from 1."""
        number: int = self.message.attempts + 1
        return number


def _nobody(_provider: str) -> bool:
    return False


def due(cursor: psycopg.Cursor[Any], *, lane: str, limit: int, now_ms: int) -> list[Any]:
    """Lock up to `limit` due messages of a lane, from each client its share; rows that others hold are skipped."""
    parameters = {"lane": lane, "limit": limit, "floor": floor(now_ms - _HORIZON_MS)}
    return cursor.execute(_DUE, parameters).fetchall()


def start(
    cursor: psycopg.Cursor[Any], starts: Sequence[Start], *, lease: float, deduplicates: Callable[[str], bool] = _nobody
) -> dict[UUID, str]:
    """
    Mark locked messages as `sending` for `lease` seconds, and write the evidence before anything is sent.

    `deduplicates`: providers that recognise what they have already. Returns our reference of each attempt, by its message.
    """
    if not starts:
        return {}
    named = references(cursor, [(s.message.id, s.number, s.provider) for s in starts], deduplicates=deduplicates)
    ids = [s.message.id for s in starts]
    written, providers = uuids(ids), texts([s.provider for s in starts])
    cursor.execute(_MARK, (lease, written, providers, written, min(ids), max(ids)))
    # Most are settled, and shown as that, before anybody would look.
    project_later(cursor, ids, after=_SHOW_SENDING_AFTER, while_status=Status.SENDING)
    decisions = [msgspec.json.encode(s.decision).decode() for s in starts]
    ours = texts([named[message_id] for message_id in ids])
    cursor.execute(_START, (written, plain([s.number for s in starts]), providers, ours, texts(decisions)))
    return named


def postpone(cursor: psycopg.Cursor[Any], waits: Sequence[tuple[Any, float]]) -> None:
    """Locked messages that nobody can take now: look again after so many seconds. No attempt is counted."""
    if not waits:
        return
    ids = [message.id for message, _ in waits]
    written = uuids(ids)
    cursor.execute(_POSTPONE, (written, plain([seconds for _, seconds in waits]), written, min(ids), max(ids)))
