"""
Events for clients, written in the transaction of the change that they tell of.

The body is rendered here, as the message is at that version. Clients that have no endpoint, and whose messages name no URL, cost nothing.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import psycopg

from sms_backend.accounts.subscriptions import Subscription, subscriptions
from sms_backend.accounts.webhooks import STATUSES
from sms_backend.messages.arrays import plain, texts, uuids
from sms_backend.messages.view import COLUMNS, message_view, rfc3339
from sms_contract.ids import uuid7

_KINDS = {status: f"message.{status}" for status in STATUSES}
_RECEIVED = "message.received"

_ADD = """
INSERT INTO webhook_deliveries
    (id, client_id, target, url, mode, message_id, version, type, body, state, tries, step, next_try_at, created_at)
SELECT id, client_id, target, url, mode, message_id, version, type, body, 'pending', 0, 0, now(), now()
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::uuid[], %s::int[], %s::text[], %s::bytea[])
    AS x (id, client_id, target, url, mode, message_id, version, type, body)
"""
_ALIASES = "SELECT alias, message_id FROM aliases WHERE message_id = ANY(%s::uuid[]) ORDER BY alias"
_ROWS = f"SELECT {COLUMNS} FROM messages WHERE id = ANY(%s::uuid[]) AND id BETWEEN %s AND %s"  # noqa: S608 - constants


@dataclass(frozen=True, kw_only=True, slots=True)
class _Event:
    client_id: str
    target: str
    url: str | None
    mode: str
    message_id: UUID
    version: int
    kind: str
    body: bytes


def callback_target(client_id: str) -> str:
    """Whom the `callback_url` of a client's messages counts for."""
    return f":{client_id}"


def announce(cursor: psycopg.Cursor[Any], rows: Iterable[Any]) -> int:
    """Tell clients of rows (`view.COLUMNS`) that have just changed; returns how many deliveries are due by it."""
    subscribed = subscriptions.by_client()
    told: list[tuple[Any, str, list[tuple[str, str | None]]]] = []
    for row in rows:
        kind = _KINDS.get(row.status)
        if kind is None or (row.callback_url is None and row.client_id not in subscribed):
            continue
        if targets := _targets(row, kind, subscribed.get(row.client_id, ())):
            told.append((row, kind, targets))
    if not told:
        return 0
    aliases: dict[UUID, list[UUID]] = defaultdict(list)
    for alias in cursor.execute(_ALIASES, (uuids(row.id for row, _, _ in told),)).fetchall():
        aliases[alias.message_id].append(alias.alias)
    events: list[_Event] = []
    for row, kind, targets in told:
        body = _body(kind, rfc3339(row.updated_at), message_view(row, aliases.get(row.id)))
        events += (
            _Event(
                client_id=row.client_id,
                target=target,
                url=url,
                mode=row.mode,
                message_id=row.id,
                version=row.version,
                kind=kind,
                body=body,
            )
            for target, url in targets
        )
    return _add(cursor, events)


def announce_ids(cursor: psycopg.Cursor[Any], ids: Sequence[UUID]) -> int:
    """`announce`, for messages of which only the ids are at hand."""
    if not ids:
        return 0
    return announce(cursor, cursor.execute(_ROWS, (list(ids), min(ids), max(ids))).fetchall())


def announce_received(cursor: psycopg.Cursor[Any], *, client_id: str, message_id: UUID, data: dict[str, Any]) -> int:
    """Hand a message from a person on to the endpoints of the client whose number it came to."""
    body = _body(_RECEIVED, data["received_at"], data)
    return _add(
        cursor,
        [
            _Event(
                client_id=client_id,
                target=s.endpoint_id,
                url=None,
                mode="live",
                message_id=message_id,
                version=1,
                kind=_RECEIVED,
                body=body,
            )
            for s in subscriptions.by_client().get(client_id, ())
            if s.wants(_RECEIVED)
        ],
    )


def _targets(row: Any, kind: str, subscribed: Sequence[Subscription]) -> list[tuple[str, str | None]]:
    if row.callback_url is not None:
        return [(callback_target(row.client_id), row.callback_url)]
    return [(s.endpoint_id, None) for s in subscribed if s.wants(kind)]


def _body(kind: str, timestamp: str | None, data: Any) -> bytes:
    return msgspec.json.encode({"type": kind, "timestamp": timestamp, "data": data})


def _add(cursor: psycopg.Cursor[Any], events: Sequence[_Event]) -> int:
    if events:
        now_ms = time.time_ns() // 1_000_000
        cursor.execute(
            _ADD,
            (
                plain(uuid7(now_ms) for _ in events),
                plain(e.client_id for e in events),
                plain(e.target for e in events),
                texts(e.url for e in events),
                plain(e.mode for e in events),
                uuids(e.message_id for e in events),
                plain(e.version for e in events),
                plain(e.kind for e in events),
                [e.body for e in events],
            ),
        )
    return len(events)
