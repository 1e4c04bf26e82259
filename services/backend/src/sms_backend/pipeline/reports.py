"""Reports of providers: raw callbacks judged, matched to their attempts, applied once; what matches nothing yet is kept."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID

import psycopg

from sms_backend.core import locks, metrics
from sms_backend.messages import suppressions
from sms_backend.messages.advance import Advanced, Report, advance
from sms_backend.messages.arrays import plain, texts, uuids
from sms_backend.messages.inbound import Arrived, receive
from sms_backend.messages.outcome import reported
from sms_backend.messages.references import message_of
from sms_backend.pipeline.adapters import adapters
from sms_backend.pipeline.judge import Heard, judge
from sms_backend.pipeline.matching import addresses, match
from sms_backend.routing.selection import choose
from sms_backend.routing.selectors import snapshot
from sms_contract.status import Status
from sms_providers.types import Part, Receipt

_rng = Random()  # noqa: S311 - weights, no secrets

_DUE = """
SELECT id, provider, method, query, headers, body, received_at FROM callbacks WHERE judged_at IS NULL ORDER BY id LIMIT %s
FOR UPDATE SKIP LOCKED
"""
_JUDGED = """
UPDATE callbacks c SET judged_at = now(), verdict = x.verdict FROM unnest(%s::uuid[], %s::text[]) AS x (id, verdict)
WHERE c.id = x.id AND c.id = ANY(%s::uuid[]) AND c.id BETWEEN %s AND %s
"""
_KEEP = """
INSERT INTO receipts (id, callback_id, message_id, attempt, provider, provider_message_id, reference, status, error_code, provider_code,
                      part, parts, occurred_at, received_at, applied_at)
SELECT id, callback_id, message_id, attempt, provider, provider_message_id, reference, status, error_code, provider_code, part, parts,
       occurred_at, received_at, CASE WHEN applied THEN now() END
FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::int[], %s::int[], %s::timestamptz[], %s::timestamptz[], %s::bool[])
    AS x (id, callback_id, message_id, attempt, provider, provider_message_id, reference, status, error_code, provider_code, part, parts,
          occurred_at, received_at, applied)
ON CONFLICT (id) DO NOTHING
"""
#: Reports whose attempt may be known by now, and whose message is to be seen.
_ORPHANS = """
SELECT r.id, r.callback_id, r.message_id, r.attempt, r.provider, r.provider_message_id, r.reference, r.status, r.error_code,
    r.provider_code, r.part, r.parts, r.occurred_at, r.received_at
FROM receipts r
WHERE r.applied_at IS NULL AND r.received_at > now() - interval '4 days' AND (
    EXISTS (SELECT 1 FROM messages m WHERE m.id = r.message_id)
    OR EXISTS (SELECT 1 FROM attempts a JOIN messages m ON m.id = a.message_id
               WHERE a.provider = r.provider AND a.provider_message_id = r.provider_message_id)
    OR EXISTS (SELECT 1 FROM attempt_parts p JOIN messages m ON m.id = p.message_id
               WHERE p.provider = r.provider AND p.provider_message_id = r.provider_message_id)
    OR EXISTS (SELECT 1 FROM attempts a JOIN messages m ON m.id = a.message_id
               WHERE a.message_id = left(r.reference, 36)::uuid AND a.provider = r.provider
               AND coalesce(a.reference, a.message_id::text) = r.reference AND a.outcome <> 'started')
)
ORDER BY r.id LIMIT %s FOR UPDATE OF r SKIP LOCKED
"""
_ADOPTED = """
UPDATE receipts r SET applied_at = now(), message_id = x.message_id, attempt = x.number
FROM unnest(%s::uuid[], %s::uuid[], %s::int[]) AS x (id, message_id, number)
WHERE r.id = x.id AND r.id = ANY(%s::uuid[]) AND r.id BETWEEN %s AND %s
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """What a batch of callbacks has led to."""

    judged: int = 0
    rows: Sequence[Any] = ()  #: messages (`view.COLUMNS`) that changed
    told: int = 0  #: webhooks of messages from people that are due by it


def apply_own(cursor: psycopg.Cursor[Any], found: Sequence[tuple[UUID, int, str, Receipt]]) -> Sequence[Any]:
    """Reports that came with the answer to a send: their attempts are known."""
    now = datetime.now(UTC)
    heard = [
        Heard(id=message_id, callback_id=None, provider=provider, receipt=receipt, received_at=now, message_id=message_id, number=number)
        for message_id, number, provider, receipt in found
    ]
    match(cursor, heard, names_parts=_names_parts)
    return _apply(cursor, heard).rows


def apply_callbacks(cursor: psycopg.Cursor[Any], *, limit: int) -> Received:
    """Judge raw callbacks in the order of their coming, and apply what they say; where another is at it, nothing."""
    # Two batches side by side would judge a report before one that came before it; the first of the final ones is what counts.
    raw = cursor.execute(_DUE, (limit,)).fetchall() if locks.only_one(cursor, locks.CALLBACKS) else []
    if not raw:
        return Received()
    verdicts: list[str] = []
    heard: list[Heard] = []
    arrived: list[Arrived] = []
    for row in raw:
        judged = judge(row)
        verdicts.append(judged.verdict)
        heard += judged.heard
        arrived += judged.arrived
    for (provider, verdict), count in Counter(zip((row.provider for row in raw), verdicts, strict=True)).items():
        metrics.receipts.labels(provider, verdict).inc(count)
    match(cursor, heard, names_parts=_names_parts)
    advanced = _apply(cursor, heard)
    _keep(cursor, heard, advanced.missing)
    ids = [row.id for row in raw]
    cursor.execute(_JUDGED, (uuids(ids), plain(verdicts), uuids(ids), ids[0], ids[-1]))
    told = receive(cursor, arrived)
    return Received(judged=len(raw), rows=advanced.rows, told=told)


def adopt_orphans(cursor: psycopg.Cursor[Any], *, limit: int) -> Sequence[Any]:
    """Match once more the reports that came before it was known whose they are; returns the message rows that changed."""
    found = [_again(row) for row in cursor.execute(_ORPHANS, (limit,)).fetchall()]
    if not found:
        return []
    match(cursor, found, names_parts=_names_parts)
    advanced = _apply(cursor, found)
    homes = {report: home for report, home in addresses(found).items() if home[0] not in advanced.missing}
    ids = sorted(homes)
    if ids:
        cursor.execute(_ADOPTED, (ids, [homes[each][0] for each in ids], [homes[each][1] for each in ids], ids, ids[0], ids[-1]))
    return advanced.rows


def _again(row: Any) -> Heard:
    """A report as it was kept."""
    receipt = Receipt(
        status=Status(row.status),
        message_id=row.provider_message_id,
        reference=row.reference,
        code=row.error_code,
        provider_code=row.provider_code,
        part=Part(index=row.part, total=row.parts) if row.part else None,
        occurred_at=None if row.occurred_at is None else int(row.occurred_at.timestamp() * 1000),
        opted_out=row.error_code == suppressions.CODE,
    )
    return Heard(
        id=row.id,
        callback_id=row.callback_id,
        provider=row.provider,
        receipt=receipt,
        received_at=row.received_at,
        message_id=row.message_id,
        number=row.attempt,
    )


def _names_parts(slug: str) -> bool:
    return adapters.has(slug) and adapters.get(slug).capabilities.part_ids


def _onward(message: Any, unsuitable: Collection[str]) -> bool:
    """Whoever is ill or paused is waited for; whoever is disabled is not."""
    choice = choose(
        snapshot(),
        mode=message.mode,
        recipient=message.recipient,
        wanted=message.providers,
        tried=(),
        unsuitable=unsuitable,
        rng=_rng,
    )
    return choice.provider is not None


def _apply(cursor: psycopg.Cursor[Any], heard: Sequence[Heard]) -> Advanced:
    advanced = advance(cursor, [report for one in heard if (report := _as_report(one)) is not None], onward=_onward)
    suppressions.add_recipients(cursor, [(h.message_id, h.provider) for h in heard if h.receipt.opted_out and h.message_id is not None])
    return advanced


def _as_report(heard: Heard) -> Report | None:
    if heard.message_id is None or heard.number is None:
        return None
    receipt = heard.receipt
    status = reported(receipt.status) if receipt.recognised else None
    if status is None:
        return None
    return Report(
        message_id=heard.message_id,
        number=heard.number,
        provider=heard.provider,
        part=heard.part,
        status=status,
        provider_message_id=receipt.message_id,
        error_code=receipt.code,
        provider_code=receipt.provider_code,
        occurred_at=None if receipt.occurred_at is None else _moment(receipt.occurred_at),
    )


def _moment(since_1970: int) -> datetime:
    """Of milliseconds."""
    return datetime.fromtimestamp(since_1970 / 1000, UTC)


def _keep(cursor: psycopg.Cursor[Any], heard: Sequence[Heard], missing: Collection[UUID]) -> None:
    if not heard:
        return
    cursor.execute(
        _KEEP,
        (
            uuids(h.id for h in heard),
            plain(h.callback_id for h in heard),
            plain(h.message_id for h in heard),
            plain(h.number for h in heard),
            texts(h.provider for h in heard),
            texts(h.receipt.message_id for h in heard),
            texts(h.receipt.reference if message_of(h.receipt.reference) else None for h in heard),
            texts(h.receipt.status if h.receipt.recognised else Status.UNKNOWN for h in heard),
            texts(h.receipt.code for h in heard),
            texts(h.receipt.provider_code for h in heard),
            plain(h.receipt.part.index if h.receipt.part else 0 for h in heard),
            plain((h.receipt.part.total or 1) if h.receipt.part else 1 for h in heard),
            texts(None if (told := h.receipt.occurred_at) is None else _moment(told).isoformat() for h in heard),
            texts(h.received_at.isoformat() for h in heard),
            plain(h.message_id is not None and h.message_id not in missing for h in heard),
        ),
    )
