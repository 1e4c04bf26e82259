"""
Webhooks on their way: claimed like messages, settled conditionally.

Each receiver in turn gets its share of a claim. Of one message and receiver an event waits while one of an earlier version is due or under
way, but not while that waits for a later try: a receiver tells by `version` what is old.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from sms_backend.messages.arrays import plain, texts, uuids

#: More of one receiver are not tried at a time.
PER_TARGET = 32

#: Each `OFFSET 0` keeps a question that is asked of each row from becoming a join, which would read all that is due for every claim: how
#: much waits here the statistics never know. And by `finished_at`, which `pending` rows lack, the index by message is the only one.
_CLAIM = """
WITH RECURSIVE targets AS (
    (SELECT target FROM webhook_deliveries WHERE state = 'pending' ORDER BY target LIMIT 1)
    UNION ALL
    SELECT (SELECT d.target FROM webhook_deliveries d WHERE d.state = 'pending' AND d.target > t.target ORDER BY d.target LIMIT 1)
    FROM targets t WHERE t.target IS NOT NULL
), due AS (
    SELECT target FROM targets t
    WHERE target IS NOT NULL AND target <> ALL(%(busy)s::text[])
      AND EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.target = t.target AND d.state = 'pending' AND d.next_try_at <= now() OFFSET 0)
    ORDER BY random()
), picked AS (
    SELECT one.id, due.target FROM due, LATERAL (
        SELECT d.id FROM webhook_deliveries d
        WHERE d.target = due.target AND d.state = 'pending' AND d.next_try_at <= now() AND NOT EXISTS (
            SELECT 1 FROM webhook_deliveries e
            WHERE e.message_id = d.message_id AND e.target = d.target AND e.version < d.version AND e.finished_at IS NULL
              AND (e.next_try_at <= now() OR e.lease_until > now()) OFFSET 0
        )
        ORDER BY d.next_try_at, d.id LIMIT %(per_target)s
        FOR UPDATE SKIP LOCKED
    ) one
    LIMIT %(limit)s
)
UPDATE webhook_deliveries d SET tries = d.tries + 1, lease_until = now() + make_interval(secs => %(lease)s),
    next_try_at = now() + make_interval(secs => %(lease)s)
FROM picked LEFT JOIN accounts_webhookendpoint w ON w.id = picked.target
WHERE d.id = picked.id
RETURNING d.id, d.client_id, d.target, d.url, d.mode, d.message_id, d.type, d.body, d.tries, d.step, d.created_at, now() AS claimed_at,
    w.url AS endpoint_url, w.id IS NOT NULL AND w.disabled_at IS NULL AS endpoint_open
"""
# As in `claim.py`, what joins names its ids too.
_SETTLE = """
UPDATE webhook_deliveries d SET state = x.state, reason = x.reason, step = x.step, lease_until = NULL,
    next_try_at = now() + make_interval(secs => x.next_after), finished_at = CASE WHEN x.state = 'pending' THEN NULL ELSE now() END
FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::text[], %s::int[], %s::float8[]) AS x (id, tries, state, reason, step, next_after)
WHERE d.id = x.id AND d.id = ANY(%s::uuid[]) AND d.id BETWEEN %s AND %s AND d.tries = x.tries AND d.state = 'pending'
"""
_RECORD = """
INSERT INTO webhook_tries (delivery_id, number, started_at, seconds, status, reason)
SELECT * FROM unnest(%s::uuid[], %s::int[], %s::timestamptz[], %s::float8[], %s::int[], %s::text[])
ON CONFLICT (delivery_id, number) DO NOTHING
"""
#: Health of endpoints; a success ends what was failing, a failure begins it, and after long enough it is the end.
_WELL = "UPDATE accounts_webhookendpoint SET failing_since = NULL WHERE id = ANY(%s::text[]) AND failing_since IS NOT NULL"
_ILL = "UPDATE accounts_webhookendpoint SET failing_since = now() WHERE id = ANY(%s::text[]) AND failing_since IS NULL"
_DISABLE = """
UPDATE accounts_webhookendpoint SET disabled_at = now(),
    disabled_reason = CASE WHEN id = ANY(%(gone)s::text[]) THEN 'gone' ELSE 'failing' END
WHERE disabled_at IS NULL AND id = ANY(%(ill)s::text[] || %(gone)s::text[])
  AND (id = ANY(%(gone)s::text[]) OR failing_since < now() - make_interval(secs => %(patience)s))
RETURNING id, client_id, disabled_reason
"""
_REPLAY = """
UPDATE webhook_deliveries SET state = 'pending', step = 0, next_try_at = now(), lease_until = NULL, finished_at = NULL
WHERE (state <> 'pending' OR coalesce(lease_until, '-infinity') < now()) AND body <> ''
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """A try, and what becomes of its delivery."""

    id: UUID
    target: str
    number: int
    started_at: datetime
    seconds: float
    status: int | None
    reason: str | None  #: None: it succeeded
    state: str
    step: int
    next_after: float | None = None  #: seconds, while `pending`
    gone: bool = False  #: the receiver wants nothing more


def claim(cursor: psycopg.Cursor[Any], *, limit: int, lease: float, busy: Sequence[str]) -> list[Any]:
    """Take due deliveries for `lease` seconds, but none for the receivers named `busy`."""
    parameters = {"limit": limit, "per_target": PER_TARGET, "lease": lease, "busy": list(busy)}
    return cursor.execute(_CLAIM, parameters).fetchall()


def settle(cursor: psycopg.Cursor[Any], tried: Sequence[Tried], *, patience: float) -> list[Any]:
    """Record tries and what becomes of them; returns the endpoints that are disabled by it. May be run again."""
    t = sorted(tried, key=lambda one: one.id)
    if not t:
        return []
    ids, numbers = uuids(x.id for x in t), plain(x.number for x in t)
    reasons = plain(x.reason for x in t)
    began = texts(x.started_at.isoformat() for x in t)
    cursor.execute(_RECORD, (ids, numbers, began, plain(x.seconds for x in t), plain(x.status for x in t), reasons))
    states, steps, pauses = plain(x.state for x in t), plain(x.step for x in t), plain(x.next_after for x in t)
    cursor.execute(_SETTLE, (ids, numbers, states, reasons, steps, pauses, ids, t[0].id, t[-1].id))
    well = sorted({x.target for x in t if x.reason is None})
    ill = sorted({x.target for x in t if x.reason is not None}.difference(well))
    if well:
        cursor.execute(_WELL, (well,))
    if not ill:
        return []
    cursor.execute(_ILL, (ill,))
    gone = sorted({x.target for x in t if x.gone})
    return cursor.execute(_DISABLE, {"gone": gone, "ill": ill, "patience": patience}).fetchall()


def due(cursor: psycopg.Cursor[Any]) -> bool:
    """Whether any delivery waits for its try."""
    row = cursor.execute(
        "SELECT EXISTS (SELECT 1 FROM webhook_deliveries WHERE state = 'pending' AND next_try_at <= now()) AS due"
    ).fetchone()
    return bool(row is not None and row.due)


def replay(cursor: psycopg.Cursor[Any], delivery_id: UUID) -> int:
    """Deliver once more, with the whole schedule ahead; returns how many that are."""
    return cursor.execute(_REPLAY + "AND id = %s", (delivery_id,)).rowcount


def replay_since(cursor: psycopg.Cursor[Any], endpoint_id: str, since: datetime, *, all_of_them: bool) -> int:
    """The same for what an endpoint should have had since then: what was given up, or all of it."""
    states = ["failed", "delivered", "pending"] if all_of_them else ["failed"]
    return cursor.execute(
        _REPLAY + "AND target = %s AND created_at >= %s AND state = ANY(%s::text[])", (endpoint_id, since, states)
    ).rowcount
