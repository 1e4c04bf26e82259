"""What Redis shows of messages. Redis may lag or lose everything; PostgreSQL's promises (`projection_due`) bring it up to date."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any
from uuid import UUID

import msgspec
import psycopg

from sms_backend.core.cache import cache
from sms_backend.messages.arrays import uuids
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.view import COLUMNS, message_view
from sms_contract import keyspace

_SCRIPTS = files("sms_backend.messages")
_project = cache.register_script(_SCRIPTS.joinpath("project.lua").read_text())
_refund = cache.register_script(_SCRIPTS.joinpath("refund.lua").read_text())
_encode = msgspec.json.Encoder().encode

#: Longer than any promise to refund stays open.
_REFUND_FLAG_TTL = keyspace.QUOTA_TTL
_DUE = "SELECT id, message_ids, while_status FROM projection_due WHERE due_at <= now() ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED"
_ROWS = (
    f"SELECT {COLUMNS} FROM messages WHERE id = ANY(%s::uuid[]) AND id BETWEEN %s AND %s "  # noqa: S608 - constants
    "AND (%s::text[] IS NULL OR status = ANY(%s::text[]))"
)
_ALIASES = (
    "SELECT alias, message_id, client_id, charged_day, charged_segments FROM aliases "
    "WHERE message_id = ANY(%s::uuid[]) OR alias = ANY(%s::uuid[])"
)


def project(cursor: psycopg.Cursor[Any], rows: Iterable[Any], *, refunds: bool = True) -> None:
    """
    Show rows (with `view.COLUMNS`) in Redis, under their tracking ids and aliases, and give back what is to be given back.

    Raises `redis.RedisError`; whatever has been done by then may be done again.
    """
    rows = list(rows)
    if not rows:
        return
    ids = [row.id for row in rows]
    batch_ids = {row.batch_id for row in rows if row.batch_id is not None}
    aliases: dict[UUID, list[Any]] = defaultdict(list)
    for alias in cursor.execute(_ALIASES, (uuids([*ids, *batch_ids]), "{}")).fetchall():
        aliases[alias.message_id].append(alias)
    per_client: dict[str, list[bytes | str | int]] = defaultdict(list)
    batches: dict[str, dict[str, int]] = defaultdict(dict)
    now = datetime.now(UTC)
    with cache.pipeline(transaction=False) as pipe:
        for row in rows:
            others = aliases.get(row.id, ())
            view = message_view(row, [alias.alias for alias in others])
            shown = (row.version, int(view.is_final), _encode(view))
            arguments = per_client[row.client_id]
            if row.batch_id is not None:
                known, wanted = batches[row.client_id], _known_for(row, now, final=view.is_final)
                for batch_id in (row.batch_id, *(alias.alias for alias in aliases.get(row.batch_id, ()))):
                    known[str(batch_id)] = max(wanted, known.get(str(batch_id), 0))
            arguments += (str(row.id), *shown)
            for alias in others:
                arguments += (str(alias.alias), *shown)
                if refunds:
                    _give_back(pipe, alias.client_id, alias.alias, alias)
            if refunds and row.refunded_at is not None:
                _give_back(pipe, row.client_id, row.id, row)
        for client, arguments in per_client.items():
            prefix = keyspace.client_prefix(client)
            known = batches[client]
            named = [part for batch in known.items() for part in batch]
            _project(keys=[prefix], args=[prefix, keyspace.FINAL_TTL, len(known), *named, *arguments], client=pipe)
        pipe.execute()


def project_due(limit: int = 20) -> int:
    """Keep promises that are due; returns how many. Raises `redis.RedisError`, and they stay."""
    with hot_cursor() as cursor:
        promises = cursor.execute(_DUE, (limit,)).fetchall()
        for statuses, ids in _by_status(promises).items():
            targets = cursor.execute(_ALIASES, ([], ids)).fetchall()
            of = None if statuses is None else list(statuses)
            wanted = sorted({*ids, *(alias.message_id for alias in targets)})
            rows = cursor.execute(_ROWS, (wanted, wanted[0], wanted[-1], of, of)).fetchall()
            project(cursor, rows)
        cursor.execute("DELETE FROM projection_due WHERE id = ANY(%s::bigint[])", ([promise.id for promise in promises],))
    return len(promises)


def kept(cursor: psycopg.Cursor[Any], promises: Sequence[int]) -> None:
    """Redis has seen them: forget these promises."""
    cursor.execute("DELETE FROM projection_due WHERE id = ANY(%s::bigint[])", (list(promises),))


def _by_status(promises: list[Any]) -> dict[tuple[str, ...] | None, list[UUID]]:
    grouped: dict[tuple[str, ...] | None, list[UUID]] = defaultdict(list)
    for promise in promises:
        grouped[None if promise.while_status is None else tuple(promise.while_status)] += promise.message_ids
    return grouped


def _known_for(row: Any, now: datetime, *, final: bool) -> int:
    """For how many seconds a message's batch is to be known: while it may be canceled, and for as long after that as a status is."""
    return keyspace.FINAL_TTL + (0 if final else max(0, int((row.expires_at - now).total_seconds())))


def _give_back(pipe: Any, client: str, tracking_id: UUID, charged: Any) -> None:
    if charged.charged_day is None or not charged.charged_segments:
        return
    keys = [keyspace.refunded(client, str(tracking_id)), keyspace.quota(client, f"{charged.charged_day:%Y%m%d}")]
    _refund(keys=keys, args=[charged.charged_segments, _REFUND_FLAG_TTL], client=pipe)
