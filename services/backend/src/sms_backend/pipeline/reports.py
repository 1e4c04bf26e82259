"""Reports of providers: raw callbacks judged, matched to their attempts, applied once; what matches nothing yet is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg

from sms_backend.core import metrics
from sms_backend.messages import suppressions
from sms_backend.messages.advance import Report, advance
from sms_backend.messages.inbound import Arrived, receive
from sms_backend.messages.outcome import reported
from sms_backend.pipeline.judge import Heard, judge
from sms_contract.status import Status
from sms_providers.types import Receipt

_DUE = """
SELECT id, provider, method, query, headers, body, received_at FROM callbacks WHERE judged_at IS NULL ORDER BY id LIMIT %s
FOR UPDATE SKIP LOCKED
"""
_JUDGED = """
UPDATE callbacks c SET judged_at = now(), verdict = x.verdict FROM unnest(%s::uuid[], %s::text[]) AS x (id, verdict)
WHERE c.id = x.id AND c.id BETWEEN %s AND %s
"""
_BY_PROVIDER_ID = """
SELECT message_id, number, provider, provider_message_id FROM attempts
WHERE (provider, provider_message_id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
"""
_KEEP = """
INSERT INTO receipts (id, callback_id, message_id, attempt, provider, provider_message_id, status, error_code, provider_code, part, parts,
                      occurred_at, received_at, applied_at)
SELECT id, callback_id, message_id, attempt, provider, provider_message_id, status, error_code, provider_code, part, parts,
       occurred_at, received_at, CASE WHEN message_id IS NOT NULL THEN now() END
FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::int[], %s::int[],
            %s::timestamptz[], %s::timestamptz[])
    AS x (id, callback_id, message_id, attempt, provider, provider_message_id, status, error_code, provider_code, part, parts,
          occurred_at, received_at)
ON CONFLICT (id) DO NOTHING
"""
_ORPHANS = """
SELECT r.id, r.provider, r.provider_message_id, r.status, r.error_code, r.provider_code, r.occurred_at, a.message_id, a.number
FROM receipts r JOIN attempts a ON a.provider = r.provider AND a.provider_message_id = r.provider_message_id
WHERE r.applied_at IS NULL AND r.received_at > now() - interval '4 days' LIMIT %s FOR UPDATE OF r SKIP LOCKED
"""
_ADOPTED = """
UPDATE receipts r SET applied_at = now(), message_id = x.message_id, attempt = x.number
FROM unnest(%s::uuid[], %s::uuid[], %s::int[]) AS x (id, message_id, number) WHERE r.id = x.id AND r.id BETWEEN %s AND %s
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """What a batch of callbacks has led to."""

    judged: int = 0
    rows: Sequence[Any] = ()  #: messages (`view.COLUMNS`) that changed
    told: int = 0  #: webhooks of messages from people that are due by it


def apply_own(cursor: psycopg.Cursor[Any], found: Sequence[tuple[UUID, int, str, Receipt]]) -> list[Any]:
    """Reports that came with the answer to a send: their attempts are known."""
    suppressions.add_recipients(cursor, [(message_id, provider) for message_id, _, provider, receipt in found if receipt.opted_out])
    return advance(cursor, [report for m, n, p, r in found if (report := _report(m, n, p, r)) is not None])


def apply_callbacks(cursor: psycopg.Cursor[Any], *, limit: int) -> Received:
    """Judge raw callbacks and apply what they say."""
    raw = cursor.execute(_DUE, (limit,)).fetchall()
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
        metrics.receipts.labels(row.provider, judged.verdict).inc()
    _match(cursor, heard)
    rows = advance(cursor, [report for h in heard if (report := _as_report(h)) is not None])
    _keep(cursor, heard)
    ids = [row.id for row in raw]
    cursor.execute(_JUDGED, (ids, verdicts, ids[0], ids[-1]))
    told = receive(cursor, arrived)
    suppressions.add_recipients(cursor, [(h.message_id, h.provider) for h in heard if h.receipt.opted_out and h.message_id is not None])
    return Received(judged=len(raw), rows=rows, told=told)


def adopt_orphans(cursor: psycopg.Cursor[Any], *, limit: int) -> list[Any]:
    """Match once more the reports that came before their attempt's id was stored; returns the message rows that changed."""
    found = sorted(cursor.execute(_ORPHANS, (limit,)).fetchall(), key=lambda row: row.id)
    if not found:
        return []
    reports = [
        Report(
            message_id=row.message_id,
            number=row.number,
            provider=row.provider,
            status=status,
            provider_message_id=row.provider_message_id,
            error_code=row.error_code,
            provider_code=row.provider_code,
            occurred_at=row.occurred_at,
        )
        for row in found
        if (status := reported(Status(row.status))) is not None
    ]
    rows = advance(cursor, reports)
    suppressions.add_recipients(cursor, [(row.message_id, row.provider) for row in found if row.error_code == suppressions.CODE])
    ids = [row.id for row in found]
    cursor.execute(_ADOPTED, (ids, [row.message_id for row in found], [row.number for row in found], ids[0], ids[-1]))
    return rows


def _match(cursor: psycopg.Cursor[Any], heard: Sequence[Heard]) -> None:
    homeless = [h for h in heard if h.message_id is None and h.receipt.message_id is not None]
    if not homeless:
        return
    rows = cursor.execute(_BY_PROVIDER_ID, ([h.provider for h in homeless], [h.receipt.message_id for h in homeless])).fetchall()
    homes = {(row.provider, row.provider_message_id): row for row in rows}
    for one in homeless:
        home = homes.get((one.provider, one.receipt.message_id))
        if home is not None:
            one.message_id, one.number = home.message_id, home.number


def _as_report(heard: Heard) -> Report | None:
    if heard.message_id is None or heard.number is None:
        return None
    return _report(heard.message_id, heard.number, heard.provider, heard.receipt)


def _report(message_id: UUID, number: int, provider: str, receipt: Receipt) -> Report | None:
    status = reported(receipt.status) if receipt.recognised else None
    if status is None:
        return None
    return Report(
        message_id=message_id,
        number=number,
        provider=provider,
        status=status,
        provider_message_id=receipt.message_id,
        error_code=receipt.code,
        provider_code=receipt.provider_code,
        occurred_at=None if receipt.occurred_at is None else datetime.fromtimestamp(receipt.occurred_at / 1000, UTC),
    )


def _keep(cursor: psycopg.Cursor[Any], heard: Sequence[Heard]) -> None:
    if not heard:
        return
    cursor.execute(
        _KEEP,
        (
            [h.id for h in heard],
            [h.callback_id for h in heard],
            [h.message_id for h in heard],
            [h.number for h in heard],
            [h.provider for h in heard],
            [h.receipt.message_id for h in heard],
            [h.receipt.status for h in heard],
            [h.receipt.code for h in heard],
            [h.receipt.provider_code for h in heard],
            [h.receipt.part.index if h.receipt.part else 0 for h in heard],
            [(h.receipt.part.total or 1) if h.receipt.part else 1 for h in heard],
            [None if h.receipt.occurred_at is None else datetime.fromtimestamp(h.receipt.occurred_at / 1000, UTC) for h in heard],
            [h.received_at for h in heard],
        ),
    )
