"""
Taking messages back: at once where they wait, before they come where the request overtakes them, else before their next attempt.

A request that comes while its message is being stored must not miss it: whoever stores holds a shared lock of each client, whoever takes
back an exclusive one, so that one of the two sees what the other has written.
"""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from sms_backend.messages.settle import WHY_LOST, refund
from sms_backend.messages.store import project_later
from sms_backend.messages.view import COLUMNS
from sms_contract.envelope import Cancel, Submission
from sms_contract.ids import created_ms, floor

#: The first half of the advisory locks' names; the second is a client.
_LOCKS = 0x43414E43
#: A batch and its messages get their ids in one moment; this much is room for clocks, in milliseconds.
_BATCH_SPAN_MS = 3_600_000
_LAST_MS = 2**48 - 1

_GUARD = """
SELECT CASE WHEN alone THEN pg_advisory_xact_lock(%s, client) ELSE pg_advisory_xact_lock_shared(%s, client) END
FROM unnest(%s::int[], %s::bool[]) AS x (client, alone)
"""
_KEEP = """
INSERT INTO cancel_requests (target, batch, client_id, requested_at, stored_at)
SELECT target, batch, client, to_timestamp(requested_at / 1000.0), now()
FROM unnest(%s::uuid[], %s::bool[], %s::text[], %s::bigint[]) AS x (target, batch, client, requested_at)
ORDER BY target, batch, client
ON CONFLICT DO NOTHING
"""
_REQUESTED = "SELECT target, batch, client_id, requested_at FROM cancel_requests WHERE target = ANY(%s::uuid[])"
_MEANT = "SELECT alias, message_id, client_id FROM aliases WHERE alias = ANY(%s::uuid[])"
_OF_BATCHES = "SELECT id, batch_id FROM messages WHERE batch_id = ANY(%s::uuid[]) AND id BETWEEN %s AND %s"
_LOCK = "SELECT id FROM messages WHERE id = ANY(%s::uuid[]) AND id BETWEEN %s AND %s ORDER BY id FOR UPDATE"
_FORGET = "DELETE FROM cancel_requests WHERE stored_at < now() - interval '34 days'"

_RETURNED = ", ".join(f"m.{column}" for column in COLUMNS.split(", "))
#: A waiting message ends here; one that was sent to a provider who never answered may have arrived all the same, and one that waits for
#: another provider after a report has been taken already, and was not delivered.
_END = f"""
    status = CASE WHEN doubtful THEN 'unknown' WHEN m.failovers > 0 THEN 'undelivered' ELSE 'canceled' END,
    error_code = CASE WHEN doubtful THEN 'provider.unknown_outcome' WHEN m.failovers > 0 THEN {WHY_LOST} END,
    error_detail = NULL, error_provider_code = NULL, next_attempt_at = NULL,
    refunded_at = CASE WHEN NOT doubtful AND m.failovers = 0 AND m.charged_day IS NOT NULL THEN coalesce(m.refunded_at, now())
        ELSE m.refunded_at END
"""
_DOUBTFUL = "EXISTS (SELECT 1 FROM attempts a WHERE a.message_id = {id} AND a.outcome IN ('started', 'unknown')) AS doubtful"
_TAKE_BACK = f"""
UPDATE messages m SET version = m.version + 1, updated_at = now(), cancel_requested_at = x.requested_at, {_END}
FROM (SELECT id, client, requested_at, {_DOUBTFUL.format(id="r.id")}
      FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[]) AS r (id, client, requested_at)) x
WHERE m.id = x.id AND m.client_id = x.client AND m.id = ANY(%s::uuid[]) AND m.id BETWEEN %s AND %s AND m.status IN ('queued', 'scheduled')
RETURNING {_RETURNED}, now() AS settled_at
"""  # noqa: S608 - constants
#: An attempt is under way, or was taken: what becomes of it is what the message becomes, but there will be no other.
_STOP = f"""
UPDATE messages m SET version = m.version + 1, updated_at = now(), cancel_requested_at = x.requested_at
FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[]) AS x (id, client, requested_at)
WHERE m.id = x.id AND m.client_id = x.client AND m.id = ANY(%s::uuid[]) AND m.id BETWEEN %s AND %s AND m.cancel_requested_at IS NULL
  AND (m.status = 'sending' OR (m.status = 'sent' AND m.failover_on <> '{{}}'))
RETURNING {_RETURNED}, now() AS settled_at
"""  # noqa: S608 - constants
#: The attempt that was under way came to nothing, and another would be due.
_STOPPED = f"""
WITH stopped AS (
    SELECT id, {_DOUBTFUL.format(id="messages.id")} FROM messages
    WHERE status IN ('queued', 'scheduled') AND cancel_requested_at IS NOT NULL ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
)
UPDATE messages m SET version = m.version + 1, updated_at = now(), {_END}
FROM stopped WHERE m.id = stopped.id
RETURNING {_RETURNED}, now() AS settled_at
"""  # noqa: S608 - constants


def guard(cursor: psycopg.Cursor[Any], *, storing: Iterable[str], canceling: Iterable[str]) -> None:
    """The first statement of a transaction that stores, or takes back, messages of these clients."""
    alone = dict.fromkeys(map(_lock_of, storing), False) | dict.fromkeys(map(_lock_of, canceling), True)
    if alone:
        # Always in the same order, so that no two wait for each other.
        locks = sorted(alone)
        cursor.execute(_GUARD, (_LOCKS, _LOCKS, locks, [alone[lock] for lock in locks]))


def asked_back(cursor: psycopg.Cursor[Any], submissions: Sequence[Submission]) -> dict[str, datetime]:
    """Which of these, by tracking id, were asked back before they came."""
    targets = {s.tracking_id for s in submissions} | {s.batch_id for s in submissions if s.batch_id is not None}
    rows = cursor.execute(_REQUESTED, (list(targets),)).fetchall()
    if not rows:
        return {}
    when = {(str(row.target), row.batch, row.client_id): row.requested_at for row in rows}
    found = {s.tracking_id: when.get((s.tracking_id, False, s.client)) or when.get((s.batch_id or "", True, s.client)) for s in submissions}
    return {tracking_id: moment for tracking_id, moment in found.items() if moment is not None}


def cancel(cursor: psycopg.Cursor[Any], cancels: Sequence[Cancel]) -> list[Any]:
    """Keep requests, and take back what has come already; returns the rows (`view.COLUMNS`) that changed. May be run again."""
    if not cancels:
        return []
    targets = [c.tracking_id or c.batch_id for c in cancels]
    of_batch = [c.tracking_id is None for c in cancels]
    cursor.execute(_KEEP, (targets, of_batch, [c.client for c in cancels], [c.requested_at for c in cancels]))
    when = {(row.target, row.batch, row.client_id): row.requested_at for row in cursor.execute(_REQUESTED, (targets,)).fetchall()}
    meant = cursor.execute(_MEANT, (targets,)).fetchall()
    when |= {
        (row.message_id, batch, row.client_id): when[row.alias, batch, row.client_id]
        for row in meant
        for batch in (False, True)
        if (row.alias, batch, row.client_id) in when
    }
    recalled = [(target, client, moment) for (target, batch, client), moment in when.items() if not batch]
    of_batches: dict[UUID, list[tuple[str, datetime]]] = defaultdict(list)
    for (target, batch, client), moment in when.items():
        if batch:
            of_batches[target].append((client, moment))
    for row in _members(cursor, sorted(of_batches)):
        recalled += [(row.id, client, moment) for client, moment in of_batches[row.batch_id]]
    return take_back(cursor, recalled)


def take_back(cursor: psycopg.Cursor[Any], recalled: Sequence[tuple[UUID, str, datetime]]) -> list[Any]:
    """Take back messages (id, client, when it was asked for) that are here; returns the rows that changed."""
    if not recalled:
        return []
    ids, clients, moments = ([entry[part] for entry in recalled] for part in range(3))
    bounds = (min(ids), max(ids))
    # In the order in which others lock them.
    cursor.execute(_LOCK, (ids, *bounds))
    ended = cursor.execute(_TAKE_BACK, (ids, clients, moments, ids, *bounds)).fetchall()
    refund(cursor, ended)
    stopped = cursor.execute(_STOP, (ids, clients, moments, ids, *bounds)).fetchall()
    if ended or stopped:
        project_later(cursor, [row.id for row in (*ended, *stopped)], after=0.0)
    return [*ended, *stopped]


def stopped(cursor: psycopg.Cursor[Any], *, limit: int) -> list[Any]:
    """Messages whose last attempt came to nothing after they had been asked back end now; their charge is given back."""
    rows = cursor.execute(_STOPPED, (limit,)).fetchall()
    refund(cursor, rows)
    return rows


def forget(cursor: psycopg.Cursor[Any]) -> None:
    """Drop requests that nothing can come for any more."""
    cursor.execute(_FORGET)


def _members(cursor: psycopg.Cursor[Any], batches: Sequence[UUID]) -> list[Any]:
    if not batches:
        return []
    first, last = created_ms(str(batches[0])), created_ms(str(batches[-1]))
    bounds = (floor(max(0, first - _BATCH_SPAN_MS)), floor(min(_LAST_MS, last + _BATCH_SPAN_MS)))
    return cursor.execute(_OF_BATCHES, (list(batches), *bounds)).fetchall()


def _lock_of(client: str) -> int:
    return zlib.crc32(client.encode()) - 2**31
