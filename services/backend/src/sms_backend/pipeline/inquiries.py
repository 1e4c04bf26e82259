"""
Asking providers: whether they have a message whose send was never answered, and what became of those they have.

No transaction is open while they are asked. Nothing here decides: a finding is settled by the table of outcomes, a report by the state
machine.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import batched
from random import Random
from typing import Any

import psycopg
import structlog

from sms_backend.core import metrics
from sms_backend.messages import inquiries
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.inquiries import APART, Ask, Question
from sms_backend.messages.settle import settle
from sms_backend.pipeline import reports
from sms_backend.pipeline.adapters import adapters
from sms_backend.pipeline.courier import courier
from sms_backend.pipeline.persist import persist
from sms_backend.pipeline.planning import chosen
from sms_backend.pipeline.retry import Waits, settlement
from sms_backend.routing.selection import Choice, Now
from sms_backend.routing.selectors import snapshot
from sms_providers.errors import NotSentError, SendError
from sms_providers.transport import Transport
from sms_providers.types import Accepted, Receipt

log = structlog.get_logger()
_rng = Random()  # noqa: S311 - jitter and weights, no secrets

#: Questions under way at once.
_SIDE_BY_SIDE = 20
#: Not found counts only twice: an index may lag behind.
_MISSES = 2
#: Seconds for all answers; a provider that is slower is asked again later.
_PATIENCE = 25.0
#: Seconds until a provider that could not say is asked again.
_AGAIN = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What a provider said. With neither message nor error it does not know the message, or there is no report yet."""

    question: Question
    accepted: Accepted | None = None
    error: SendError | None = None
    receipts: tuple[Receipt, ...] = ()


def ask_due(limit: int, waits: Waits) -> int:
    """Ask what is due, and apply what they say; returns how many were due."""
    with hot_cursor() as cursor:
        taken, questions = inquiries.take(cursor, limit=limit)
    questions = [q for q in questions if adapters.has(q.row.provider)]
    if questions:
        findings = courier.ask(lambda transport: _ask(questions, transport))
        for finding in findings:
            _apply(finding, waits)
    return taken


async def _ask(questions: Sequence[Question], transport: Transport) -> list[Finding]:
    slots = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def bounded(work: Any) -> list[Finding]:
        async with slots:
            found: list[Finding] = await work
            return found

    polls: dict[str, list[Question]] = {}
    for question in questions:
        if question.kind is Ask.POLL:
            polls.setdefault(question.row.provider, []).append(question)
    works = [_look_up(q, transport) for q in questions if q.kind is Ask.LOOK_UP]
    for slug, asked in polls.items():
        at_once = adapters.get(slug).capabilities.reports_per_poll
        works += [_poll(slug, batch, transport) for batch in batched(asked, at_once)]
    return [finding for found in await asyncio.gather(*map(bounded, works)) for finding in found]


async def _look_up(question: Question, transport: Transport) -> list[Finding]:
    slug = question.row.provider
    try:
        async with asyncio.timeout(_PATIENCE):
            accepted = await adapters.get(slug).look_up(question.row.reference, transport.exchange_for(slug))
    except (SendError, TimeoutError, NotImplementedError) as error:
        return [Finding(question=question, error=_as_send_error(error))]
    return [Finding(question=question, accepted=accepted)]


async def _poll(slug: str, questions: Sequence[Question], transport: Transport) -> list[Finding]:
    ids = [q.row.provider_message_id for q in questions if q.row.provider_message_id]
    try:
        async with asyncio.timeout(_PATIENCE):
            receipts = await adapters.get(slug).poll(ids, transport.exchange_for(slug))
    except (SendError, TimeoutError, NotImplementedError) as error:
        return [Finding(question=q, error=_as_send_error(error)) for q in questions]
    return [Finding(question=q, receipts=tuple(r for r in receipts if _is_about(r, q))) for q in questions]


def _is_about(receipt: Receipt, question: Question) -> bool:
    if receipt.message_id is not None:
        return bool(receipt.message_id == question.row.provider_message_id)
    return bool(receipt.reference == question.row.reference)


def _as_send_error(error: Exception) -> SendError:
    return error if isinstance(error, SendError) else NotSentError(type(error).__name__)


def _apply(finding: Finding, waits: Waits) -> None:
    row, kind = finding.question.row, finding.question.kind
    if kind is Ask.LOOK_UP:
        found = "error" if finding.error else "found" if finding.accepted else "missing"
        metrics.lookups.labels(row.provider, found).inc()
        log.info("attempt.looked_up", tracking_id=str(row.id), provider=row.provider, attempt=row.number, found=found)
    if finding.error is not None:
        with hot_cursor() as cursor:
            inquiries.ask_later(cursor, [(row.id, row.number, row.provider, kind, _AGAIN)] if kind is Ask.LOOK_UP else [])
    elif kind is Ask.LOOK_UP:
        persist(partial(_looked_up, finding=finding, waits=waits))
    if finding.receipts or (finding.accepted and finding.accepted.receipts):
        receipts = finding.receipts or (finding.accepted.receipts if finding.accepted else ())
        persist(partial(reports.apply_own, found=[(row.id, row.number, row.provider, receipt) for receipt in receipts]))


def _looked_up(cursor: "psycopg.Cursor[Any]", *, finding: Finding, waits: Waits) -> list[Any]:
    row = finding.question.row
    place = (row.id, row.number)
    result: Accepted | SendError | None = finding.accepted
    if result is None:
        misses = inquiries.missed(cursor, place)
        if misses == 0:
            return []
        if misses < _MISSES:
            inquiries.ask_later(cursor, [(*place, row.provider, Ask.LOOK_UP, APART)])
            return []
        result = NotSentError("looked up twice, and not there")
    inquiries.forget(cursor, [place])
    settled = settlement(
        row,
        provider=row.provider,
        result=result,
        choose=partial(_chosen, row),
        waits=waits,
        rng=_rng,
        capabilities=adapters.get(row.provider).capabilities,
    )
    return settle(cursor, [settled])


def _chosen(row: Any, tried: Collection[str], unsuitable: Collection[str]) -> Choice:
    providers = snapshot()
    now = Now(paused=providers.paused_for(row.client_id, row.lane))
    return chosen(providers, row, tried=tried, unsuitable=unsuitable, now=now, rng=_rng)
