"""
Storing accepted messages: the first commit of a message's life, after which its AMQP message may be acknowledged.

Everything here can be run again: a redelivery changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

import msgspec
import psycopg

from sms_backend.core import metrics
from sms_backend.messages import suppressions
from sms_backend.messages.arrays import plain, texts, uuids
from sms_backend.messages.events import announce_ids
from sms_backend.messages.keys import add_aliases, settle_keys
from sms_contract.envelope import Submission
from sms_contract.ids import created_ms
from sms_contract.status import WAITING, Status

_INSERT = """
INSERT INTO messages (
    id, client_id, mode, lane, recipient, sender, text, wire_text, encoding, segments, characters, max_segments, providers, reference,
    callback_url, metadata, on_unknown, failover_on, batch_id, batch_index, key_id, traceparent, status, version, next_attempt_at,
    error_code, charged_day, charged_segments, refunded_at, cancel_requested_at, send_at, expires_at, created_at, stored_at, updated_at,
    attempts, round, tried, unsuitable, resends
)
SELECT
    t.id, client, mode, lane, recipient, sender, text, wire_text, encoding, segments, characters, max_segments,
    coalesce(string_to_array(providers, ','), '{}'), reference, callback_url, metadata, on_unknown,
    coalesce(string_to_array(failover_on, ','), '{}'), batch_id, batch_index, key_id, traceparent,
    CASE WHEN error IS NOT NULL THEN 'rejected' WHEN asked_back IS NOT NULL THEN 'canceled'
         WHEN send_at > extract(epoch FROM now()) * 1000 THEN 'scheduled' ELSE 'queued' END,
    1,
    CASE WHEN error IS NULL AND asked_back IS NULL THEN greatest(now(), to_timestamp(send_at / 1000.0)) END,
    error, charged_day, charged_segments,
    CASE WHEN (error IS NOT NULL OR asked_back IS NOT NULL) AND charged_day IS NOT NULL THEN now() END, asked_back,
    to_timestamp(send_at / 1000.0), to_timestamp(expires_at / 1000.0), to_timestamp(created_at / 1000.0), now(), now(),
    0, 0, '{}', '{}', 0
FROM unnest(
    %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::int[], %s::int[], %s::int[],
    %s::text[], %s::text[], %s::text[], %s::jsonb[], %s::text[], %s::text[], %s::uuid[], %s::int[], %s::text[], %s::text[],
    %s::text[], %s::date[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[]
) AS t (
    id, client, mode, lane, recipient, sender, text, wire_text, encoding, segments, characters, max_segments,
    providers, reference, callback_url, metadata, on_unknown, failover_on, batch_id, batch_index, key_id, traceparent,
    error, charged_day, charged_segments, send_at, expires_at, created_at, asked_back
)
ORDER BY t.id
ON CONFLICT (id) DO NOTHING
RETURNING id, client_id, charged_day, charged_segments, status, lane
"""

_CHARGE = """
INSERT INTO quota_usage AS q (client_id, day, used)
SELECT client, day, used FROM unnest(%s::text[], %s::date[], %s::int[]) AS t (client, day, used) ORDER BY client, day
ON CONFLICT (client_id, day) DO UPDATE SET used = q.used + excluded.used
"""

_PROJECT_LATER = "INSERT INTO projection_due (due_at, message_ids, while_status) VALUES (now() + %s, %s::uuid[], %s::text[]) RETURNING id"

_ENDED = frozenset({Status.REJECTED, Status.CANCELED})
_NONE: Mapping[str, datetime] = MappingProxyType({})
#: A message that has not moved on after this long is shown as stored; most have been sent by then.
_SHOW_STORED_AFTER = timedelta(seconds=2)


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What a commit has done."""

    inserted: int  #: rows that are new
    ended: tuple[str, ...]  #: statuses of those that were final as they came
    lanes: frozenset[str]  #: in which there is work now
    recalled: list[tuple[UUID, str, datetime]]  #: messages (with client, and when) that were asked back by an alias that came now


def store(cursor: psycopg.Cursor[Any], submissions: Iterable[Submission], *, asked_back: Mapping[str, datetime] = _NONE) -> Stored:
    """
    Store messages, their charges and their keys, in the caller's transaction.

    What is `asked_back` (tracking ids, and when they were) is canceled as it comes.

    Raises `psycopg.DataError` or `psycopg.IntegrityError` where a row cannot be stored, any other `psycopg.Error` where nothing can be now.
    """
    unique = list({s.tracking_id: s for s in submissions}.values())
    fresh, aliases, reused = settle_keys(cursor, unique)
    errors = {s.tracking_id: "idempotency.key_reused" for s in reused} | _opted_out(cursor, fresh)
    inserted = cursor.execute(_INSERT, _columns([*fresh, *reused], errors, asked_back)).fetchall()
    changed = [row.id for row in inserted]
    announce_ids(cursor, [row.id for row in inserted if row.status in _ENDED])
    if aliases:
        changed += add_aliases(cursor, aliases)
    charge(cursor, [(row.client_id, row.charged_day, row.charged_segments) for row in inserted if row.status not in _ENDED])
    if changed:
        at_once = bool(errors or aliases or asked_back)
        cursor.execute(_PROJECT_LATER, (timedelta() if at_once else _SHOW_STORED_AFTER, uuids(changed), None if at_once else list(WAITING)))
    return Stored(
        inserted=len(inserted),
        ended=tuple(row.status for row in inserted if row.status in _ENDED),
        lanes=frozenset(row.lane for row in inserted if row.status == "queued"),
        recalled=[(message_id, s.client, asked_back[s.tracking_id]) for s, message_id in aliases if s.tracking_id in asked_back],
    )


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
    statuses = None if while_status is None else [while_status]
    row = cursor.execute(_PROJECT_LATER, (timedelta(seconds=after), uuids(ids), statuses)).fetchone()
    assert row is not None
    promise: int = row.id
    return promise


def _opted_out(cursor: psycopg.Cursor[Any], submissions: list[Submission]) -> dict[str, str]:
    barred = suppressions.listed(cursor, [(s.client, s.sender, s.to) for s in submissions])
    metrics.opted_out.labels("intake").inc(len(barred))
    return {submissions[index].tracking_id: suppressions.CODE for index in barred}


def _columns(submissions: list[Submission], errors: dict[str, str], asked_back: Mapping[str, datetime]) -> tuple[str, ...]:
    return (
        texts([s.tracking_id for s in submissions]),
        texts([s.client for s in submissions]),
        texts([s.mode for s in submissions]),
        texts([s.traffic_type for s in submissions]),
        texts([s.to for s in submissions]),
        texts([s.sender for s in submissions]),
        texts([s.text for s in submissions]),
        texts([s.wire_text for s in submissions]),
        texts([s.encoding for s in submissions]),
        plain([s.segments for s in submissions]),
        plain([s.characters for s in submissions]),
        plain([s.max_segments for s in submissions]),
        texts([",".join(s.providers) or None for s in submissions]),
        texts([s.reference for s in submissions]),
        texts([s.callback_url for s in submissions]),
        texts([msgspec.json.encode(s.metadata).decode() for s in submissions]),
        texts([s.on_unknown for s in submissions]),
        texts([",".join(s.failover_on) or None for s in submissions]),
        texts([s.batch_id for s in submissions]),
        plain([s.index for s in submissions]),
        texts([s.key_id for s in submissions]),
        texts([s.traceparent for s in submissions]),
        texts([errors.get(s.tracking_id) for s in submissions]),
        texts([s.charged_day for s in submissions]),
        plain([s.segments if s.charged_day else 0 for s in submissions]),
        plain([s.send_at for s in submissions]),
        plain([s.expires_at for s in submissions]),
        plain([created_ms(s.tracking_id) for s in submissions]),
        texts([None if (when := asked_back.get(s.tracking_id)) is None else when.isoformat() for s in submissions]),
    )
