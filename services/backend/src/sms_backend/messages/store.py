"""
Storing accepted messages: the first commit of a message's life, after which its AMQP message may be acknowledged.

Everything here can be run again: a redelivery changes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import psycopg

from sms_backend.core import metrics
from sms_backend.messages import suppressions
from sms_backend.messages.events import announce_ids
from sms_contract.envelope import Submission
from sms_contract.ids import created_ms
from sms_contract.keyspace import IDEMPOTENCY_TTL
from sms_contract.status import WAITING, Status

_INSERT = """
INSERT INTO messages (
    id, client_id, mode, lane, recipient, sender, text, wire_text, encoding, segments, characters, max_segments, providers, reference,
    callback_url, metadata, on_unknown, batch_id, batch_index, key_id, traceparent, status, version, next_attempt_at, error_code,
    charged_day, charged_segments, refunded_at, send_at, expires_at, created_at, stored_at, updated_at,
    attempts, round, tried, unsuitable, resends
)
SELECT
    t.id, client, mode, lane, recipient, sender, text, wire_text, encoding, segments, characters, max_segments,
    coalesce(string_to_array(providers, ','), '{}'), reference, callback_url, metadata, on_unknown, batch_id, batch_index, key_id,
    traceparent,
    CASE WHEN error IS NOT NULL THEN 'rejected' WHEN send_at > extract(epoch FROM now()) * 1000 THEN 'scheduled' ELSE 'queued' END,
    1,
    CASE WHEN error IS NULL THEN greatest(now(), to_timestamp(send_at / 1000.0)) END,
    error, charged_day, charged_segments, CASE WHEN error IS NOT NULL AND charged_day IS NOT NULL THEN now() END,
    to_timestamp(send_at / 1000.0), to_timestamp(expires_at / 1000.0), to_timestamp(created_at / 1000.0), now(), now(),
    0, 0, '{}', '{}', 0
FROM unnest(
    %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::int[], %s::int[], %s::int[],
    %s::text[], %s::text[], %s::text[], %s::jsonb[], %s::text[], %s::uuid[], %s::int[], %s::text[], %s::text[],
    %s::text[], %s::date[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[]
) AS t (
    id, client, mode, lane, recipient, sender, text, wire_text, encoding, segments, characters, max_segments,
    providers, reference, callback_url, metadata, on_unknown, batch_id, batch_index, key_id, traceparent,
    error, charged_day, charged_segments, send_at, expires_at, created_at
)
ORDER BY t.id
ON CONFLICT (id) DO NOTHING
RETURNING id, client_id, charged_day, charged_segments, status
"""

#: Takes a key, or leaves it with whom it belongs to; one whose 24 hours are over changes hands.
_TAKE_KEYS = """
INSERT INTO idempotency_keys AS k (client_id, digest, item, message_id, fingerprint, reserved_at)
SELECT client, digest, item, message_id, fingerprint, to_timestamp(reserved_at / 1000.0)
FROM unnest(%s::text[], %s::text[], %s::int[], %s::uuid[], %s::text[], %s::bigint[])
    AS t (client, digest, item, message_id, fingerprint, reserved_at)
ORDER BY client, digest, item
ON CONFLICT (client_id, digest, item) DO UPDATE SET
    message_id = CASE WHEN k.reserved_at < excluded.reserved_at - %s THEN excluded.message_id ELSE k.message_id END,
    fingerprint = CASE WHEN k.reserved_at < excluded.reserved_at - %s THEN excluded.fingerprint ELSE k.fingerprint END,
    reserved_at = CASE WHEN k.reserved_at < excluded.reserved_at - %s THEN excluded.reserved_at ELSE k.reserved_at END
RETURNING client_id, digest, item, message_id, fingerprint
"""

_ADD_ALIASES = """
INSERT INTO aliases (alias, message_id, client_id, created_at, charged_day, charged_segments)
SELECT alias, message_id, client, now(), charged_day, charged_segments
FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::date[], %s::int[]) AS t (alias, message_id, client, charged_day, charged_segments)
ON CONFLICT (alias) DO NOTHING
RETURNING alias, message_id
"""

_CHARGE = """
INSERT INTO quota_usage AS q (client_id, day, used)
SELECT client, day, used FROM unnest(%s::text[], %s::date[], %s::int[]) AS t (client, day, used) ORDER BY client, day
ON CONFLICT (client_id, day) DO UPDATE SET used = q.used + excluded.used
"""

_PROJECT_LATER = "INSERT INTO projection_due (due_at, message_ids, while_status) VALUES (now() + %s, %s::uuid[], %s::text[]) RETURNING id"

_DAY = timedelta(seconds=IDEMPOTENCY_TTL)
#: A message that has not moved on after this long is shown as stored; most have been sent by then.
_SHOW_STORED_AFTER = timedelta(seconds=2)


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What a commit has done."""

    inserted: int  #: rows that are new
    lanes: frozenset[str]  #: in which there is work now


def store(cursor: psycopg.Cursor[Any], submissions: Iterable[Submission]) -> Stored:
    """
    Store messages, their charges and their keys, in the caller's transaction.

    Raises `psycopg.DataError` or `psycopg.IntegrityError` where a row cannot be stored, any other `psycopg.Error` where nothing can be now.
    """
    unique = list({s.tracking_id: s for s in submissions}.values())
    fresh, aliases, reused = _settle_keys(cursor, unique)
    errors = {s.tracking_id: "idempotency.key_reused" for s in reused} | _opted_out(cursor, fresh)
    inserted = cursor.execute(_INSERT, _columns([*fresh, *reused], errors)).fetchall()
    changed = [row.id for row in inserted]
    announce_ids(cursor, [row.id for row in inserted if row.status == Status.REJECTED])
    if aliases:
        changed += _add_aliases(cursor, aliases)
    charge(cursor, [(row.client_id, row.charged_day, row.charged_segments) for row in inserted if row.status != "rejected"])
    if changed:
        at_once = bool(errors or aliases)
        cursor.execute(_PROJECT_LATER, (timedelta() if at_once else _SHOW_STORED_AFTER, changed, None if at_once else list(WAITING)))
    new = {str(row.id) for row in inserted if row.status == "queued"}
    return Stored(inserted=len(inserted), lanes=frozenset(s.traffic_type for s in fresh if s.tracking_id in new))


def charge(cursor: psycopg.Cursor[Any], charges: Iterable[tuple[str, Any, int]]) -> None:
    """Add segments to (client, day); negative ones give back. Rows without a day cost nothing."""
    sums: dict[tuple[str, Any], int] = {}
    for client, day, segments in charges:
        if day is not None:
            sums[client, day] = sums.get((client, day), 0) + segments
    if sums:
        cursor.execute(_CHARGE, ([c for c, _ in sums], [d for _, d in sums], list(sums.values())))


def project_later(cursor: psycopg.Cursor[Any], ids: list[Any], *, after: float, while_status: Status | None = None) -> int:
    """Promise that Redis will see these messages, or those that are still so; returns the promise's id, to be deleted once it has."""
    row = cursor.execute(_PROJECT_LATER, (timedelta(seconds=after), ids, None if while_status is None else [while_status])).fetchone()
    assert row is not None
    promise: int = row.id
    return promise


def _settle_keys(
    cursor: psycopg.Cursor[Any], submissions: list[Submission]
) -> tuple[list[Submission], list[tuple[Submission, Any]], list[Submission]]:
    """Idempotency's last word: who is new (or a redelivery), who is an alias of which message, whose key was used for something else."""
    first: dict[tuple[str, str, int], Submission] = {}
    for s in submissions:
        if s.idempotency is not None:
            first.setdefault((s.client, s.idempotency, s.index), s)
    if not first:
        return submissions, [], []
    takers = list(first.values())
    rows = cursor.execute(
        _TAKE_KEYS,
        (
            [s.client for s in takers],
            [s.idempotency for s in takers],
            [s.index for s in takers],
            [s.tracking_id for s in takers],
            [s.fingerprint for s in takers],
            [s.reserved_at for s in takers],
            _DAY,
            _DAY,
            _DAY,
        ),
    ).fetchall()
    holders = {(row.client_id, row.digest, row.item): row for row in rows}
    fresh: list[Submission] = []
    aliases: list[tuple[Submission, Any]] = []
    reused: list[Submission] = []
    for s in submissions:
        holder = None if s.idempotency is None else holders[s.client, s.idempotency, s.index]
        if holder is None or str(holder.message_id) == s.tracking_id:
            fresh.append(s)
        elif holder.fingerprint == s.fingerprint:
            aliases.append((s, holder.message_id))
        else:
            reused.append(s)
    return fresh, aliases, reused


def _add_aliases(cursor: psycopg.Cursor[Any], aliases: list[tuple[Submission, Any]]) -> list[Any]:
    rows = cursor.execute(
        _ADD_ALIASES,
        (
            [s.tracking_id for s, _ in aliases],
            [message_id for _, message_id in aliases],
            [s.client for s, _ in aliases],
            [s.charged_day for s, _ in aliases],
            [s.segments for s, _ in aliases],
        ),
    ).fetchall()
    return [row.alias for row in rows] + [row.message_id for row in rows]


def _opted_out(cursor: psycopg.Cursor[Any], submissions: list[Submission]) -> dict[str, str]:
    barred = suppressions.listed(cursor, [(s.client, s.sender, s.to) for s in submissions])
    metrics.opted_out.labels("intake").inc(len(barred))
    return {submissions[index].tracking_id: suppressions.CODE for index in barred}


def _columns(submissions: list[Submission], errors: dict[str, str]) -> tuple[list[Any], ...]:
    return (
        [s.tracking_id for s in submissions],
        [s.client for s in submissions],
        [s.mode for s in submissions],
        [s.traffic_type for s in submissions],
        [s.to for s in submissions],
        [s.sender for s in submissions],
        [s.text for s in submissions],
        [s.wire_text for s in submissions],
        [s.encoding for s in submissions],
        [s.segments for s in submissions],
        [s.characters for s in submissions],
        [s.max_segments for s in submissions],
        [",".join(s.providers) or None for s in submissions],
        [s.reference for s in submissions],
        [s.callback_url for s in submissions],
        [msgspec.json.encode(s.metadata).decode() for s in submissions],
        [s.on_unknown for s in submissions],
        [s.batch_id for s in submissions],
        [s.index for s in submissions],
        [s.key_id for s in submissions],
        [s.traceparent for s in submissions],
        [errors.get(s.tracking_id) for s in submissions],
        [s.charged_day for s in submissions],
        [s.segments if s.charged_day else 0 for s in submissions],
        [s.send_at for s in submissions],
        [s.expires_at for s in submissions],
        [created_ms(s.tracking_id) for s in submissions],
    )
