"""
Messages from people: kept, attributed by the number that they came to, handed on to the client whose it is.

A vendor that repeats a message is heard once; parts that come by themselves are joined.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import structlog

from sms_backend.core import metrics
from sms_backend.messages import suppressions
from sms_backend.messages.events import announce_received
from sms_backend.messages.opt_out_words import asks
from sms_backend.messages.view import rfc3339
from sms_providers.types import Inbound, OptOut

log = structlog.get_logger()

_LOCK = "SELECT pg_advisory_xact_lock(hashtext('smsgw.inbound'))"
_KNOWN = """
SELECT provider, provider_message_id, part FROM inbound_messages
WHERE (provider, provider_message_id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
"""
_NUMBERS = "SELECT number, provider, client_id FROM accounts_inboundnumber WHERE ltrim(number, '+') = ANY(%s::text[])"
_KEEP = """
INSERT INTO inbound_messages (id, callback_id, provider, provider_message_id, sender, recipient, text, segments, client_id, asks,
                              part, parts, part_reference, received_at, handed_on_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, CASE WHEN %s THEN now() END)
"""
#: Parts of one message: to be handed on once they are all there, or have waited long enough for the rest.
_PARTS = """
SELECT id, client_id, sender, recipient, text, segments, part, parts, received_at FROM inbound_messages
WHERE provider = %s AND sender = %s AND recipient = %s AND part_reference = %s AND part > 0 AND handed_on_at IS NULL
  AND received_at > now() - interval '1 day'
ORDER BY part, id
"""
_LEFT = """
SELECT DISTINCT provider, sender, recipient, part_reference FROM inbound_messages
WHERE handed_on_at IS NULL AND part > 0 AND client_id IS NOT NULL
  AND received_at BETWEEN now() - interval '20 hours' AND now() - interval '10 minutes' LIMIT %s
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrived:
    """A message as an adapter has read it."""

    id: UUID
    callback_id: UUID
    provider: str
    message: Inbound
    received_at: datetime  #: here

    @property
    def sender(self) -> str:
        """E.164 as far as can be told; a short code stays one."""
        digits = self.message.sender.removeprefix("+")
        return f"+{digits}"[:32] if digits.isdigit() and len(digits) > 8 else self.message.sender[:32]

    @property
    def written_at(self) -> datetime:
        """By the vendor's clock, as long as that is not ahead of ours."""
        if self.message.received_at is None:
            return self.received_at
        return min(self.received_at, datetime.fromtimestamp(self.message.received_at / 1000, UTC))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Whole:
    """A message as its client gets it."""

    client: str
    sender: str
    recipient: str
    text: str
    segments: int
    received_at: datetime


def receive(cursor: psycopg.Cursor[Any], arrived: Sequence[Arrived]) -> int:
    """Keep messages, do what they ask for, hand them on; returns how many webhooks are due by it. To be called after row locks."""
    if not arrived:
        return 0
    cursor.execute(_LOCK)
    known = _known(cursor, arrived)
    owners = _owners(cursor, arrived)
    told = 0
    for one in arrived:
        identity = (one.provider, one.message.message_id, one.message.part.index if one.message.part else 0)
        if one.message.message_id and identity in known:
            metrics.inbound.labels(one.provider, "repeated").inc()
            continue
        known.add(identity)
        told += _take(cursor, one, owners)
    return told


def hand_on_incomplete(cursor: psycopg.Cursor[Any], *, limit: int) -> int:
    """Parts that have waited long enough go on as they are; returns how many messages that were."""
    cursor.execute(_LOCK)
    left = cursor.execute(_LEFT, (limit,)).fetchall()
    for row in left:
        _hand_on_parts(cursor, tuple(row), whole_only=False)
    return len(left)


def _known(cursor: psycopg.Cursor[Any], arrived: Sequence[Arrived]) -> set[tuple[str, str, int]]:
    rows = cursor.execute(_KNOWN, ([one.provider for one in arrived], [one.message.message_id for one in arrived])).fetchall()
    return {(row.provider, row.provider_message_id, row.part) for row in rows}


def _owners(cursor: psycopg.Cursor[Any], arrived: Sequence[Arrived]) -> Mapping[tuple[str, str], Any]:
    rows = cursor.execute(_NUMBERS, ([one.message.to.removeprefix("+") for one in arrived],)).fetchall()
    return {(row.number.removeprefix("+"), row.provider): row for row in rows}


def _take(cursor: psycopg.Cursor[Any], one: Arrived, owners: Mapping[tuple[str, str], Any]) -> int:
    message, digits = one.message, one.message.to.removeprefix("+")
    owner = owners.get((digits, one.provider)) or owners.get((digits, ""))
    client: str | None = None if owner is None else owner.client_id
    number = message.to[:32] if owner is None else owner.number
    part, parts = (message.part.index, message.part.total or 1) if message.part else (0, 1)
    alone = part == 0 or parts < 2 or message.part_reference is None
    asked = asks(message) if alone else None
    cursor.execute(
        _KEEP,
        (
            one.id,
            one.callback_id,
            one.provider,
            message.message_id,
            one.sender,
            number,
            message.text,
            min(max(message.segments, 1), 255),
            client,
            asked,
            0 if alone else part,
            parts,
            message.part_reference,
            one.written_at,
            alone and client is not None,
        ),
    )
    if client is None:
        metrics.inbound.labels(one.provider, "nobodys").inc()
        log.warning("inbound.nobodys", provider=one.provider, inbound=str(one.id))
        return 0
    metrics.inbound.labels(one.provider, "received").inc()
    if asked is OptOut.STOP:
        suppressions.add(cursor, [(client, one.sender, number)], source="inbound")
    elif asked is OptOut.START:
        suppressions.remove(cursor, client_id=client, recipient=one.sender, sender=number)
    if alone:
        return _announce(
            cursor,
            one.id,
            _Whole(
                client=client,
                sender=one.sender,
                recipient=number,
                text=message.text,
                segments=max(message.segments, 1),
                received_at=one.written_at,
            ),
        )
    return _hand_on_parts(cursor, (one.provider, one.sender, number, message.part_reference), whole_only=True)


def _hand_on_parts(cursor: psycopg.Cursor[Any], key: tuple[Any, ...], *, whole_only: bool) -> int:
    rows = {row.part: row for row in reversed(cursor.execute(_PARTS, key).fetchall())}
    found = [rows[part] for part in sorted(rows)]
    if not found or (whole_only and len(found) < found[0].parts):
        return 0
    ids = [row.id for row in found]
    cursor.execute("UPDATE inbound_messages SET handed_on_at = now() WHERE id = ANY(%s::uuid[])", (ids,))
    first = found[0]
    whole = _Whole(
        client=first.client_id,
        sender=first.sender,
        recipient=first.recipient,
        text="".join(row.text for row in found),
        segments=sum(row.segments for row in found),
        received_at=first.received_at,
    )
    return _announce(cursor, min(ids), whole)


def _announce(cursor: psycopg.Cursor[Any], message_id: UUID, message: _Whole) -> int:
    data = {
        "id": str(message_id),
        "from": message.sender,
        "to": message.recipient,
        "text": message.text,
        "segments": message.segments,
        "received_at": rfc3339(message.received_at),
        "client": message.client,
    }
    return announce_received(cursor, client_id=message.client, message_id=message_id, data=data)
