"""
Idempotency's last word: which message a key stands for, where Redis may have lost what it knew.

A batch has one key for all its messages. Each message has a row of it by its index, and the batch as a whole one more, by which another
request is told apart even where no message of it has an index of the first's.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg

from sms_backend.messages.arrays import plain, texts
from sms_contract.envelope import Submission
from sms_contract.keyspace import IDEMPOTENCY_TTL

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

_DAY = timedelta(seconds=IDEMPOTENCY_TTL)
#: Beside the indices of its messages: the batch itself.
_WHOLE = -1

#: Client, digest, item: what a row of a key is found by.
Key = tuple[str, str, int]


def settle_keys(
    cursor: psycopg.Cursor[Any], submissions: list[Submission]
) -> tuple[list[Submission], list[tuple[Submission, UUID]], list[Submission]]:
    """Who is new (or a redelivery), who is an alias of which message, whose key was used for something else."""
    takers: dict[Key, tuple[str, Submission]] = {}
    for s in submissions:
        for key, stands_for in _keys(s):
            takers.setdefault(key, (stands_for, s))
    if not takers:
        return submissions, [], []
    holders = _take(cursor, takers)
    foreign = {(s.batch_id or s.tracking_id) for s in submissions for key, _ in _keys(s) if holders[key].fingerprint != s.fingerprint}
    fresh: list[Submission] = []
    aliases: list[tuple[Submission, UUID]] = []
    reused: list[Submission] = []
    for s in submissions:
        if s.idempotency is None:
            fresh.append(s)
        elif (s.batch_id or s.tracking_id) in foreign:
            reused.append(s)
        elif str(holder := holders[s.client, s.idempotency, s.index].message_id) == s.tracking_id:
            fresh.append(s)
        else:
            aliases.append((s, holder))
    _add_batch_aliases(cursor, aliases, holders)
    return fresh, aliases, reused


def add_aliases(cursor: psycopg.Cursor[Any], aliases: list[tuple[Submission, UUID]]) -> list[UUID]:
    """Have second ids answer for their messages; returns all ids that this has changed."""
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


def _keys(s: Submission) -> Iterator[tuple[Key, str]]:
    """The rows that a submission takes, each with the id that it then stands for."""
    if s.idempotency is not None:
        yield (s.client, s.idempotency, s.index), s.tracking_id
        if s.batch_id is not None:
            yield (s.client, s.idempotency, _WHOLE), s.batch_id


def _take(cursor: psycopg.Cursor[Any], takers: dict[Key, tuple[str, Submission]]) -> dict[Key, Any]:
    rows = cursor.execute(
        _TAKE_KEYS,
        (
            texts([client for client, _, _ in takers]),
            texts([digest for _, digest, _ in takers]),
            plain([item for _, _, item in takers]),
            texts([stands_for for stands_for, _ in takers.values()]),
            texts([s.fingerprint for _, s in takers.values()]),
            plain([s.reserved_at for _, s in takers.values()]),
            _DAY,
            _DAY,
            _DAY,
        ),
    ).fetchall()
    return {(row.client_id, row.digest, row.item): row for row in rows}


def _add_batch_aliases(cursor: psycopg.Cursor[Any], aliases: Iterable[tuple[Submission, UUID]], holders: dict[Key, Any]) -> None:
    """The second id of a batch answers for it too: when it is canceled, and when its reservation is settled."""
    first = {
        (s.batch_id, s.client): holders[s.client, s.idempotency, _WHOLE].message_id
        for s, _ in aliases
        if s.batch_id is not None and s.idempotency is not None
    }
    second = {batch: (client, holder) for (batch, client), holder in first.items() if str(holder) != batch}
    if second:
        clients, holding = [client for client, _ in second.values()], [holder for _, holder in second.values()]
        cursor.execute(_ADD_ALIASES, (list(second), holding, clients, [None] * len(second), [0] * len(second)))
