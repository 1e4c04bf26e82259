"""
Dispatch: claim what is due, send it with no transaction open, settle until it has committed, show it.

PostgreSQL is the queue of record: whatever happens to the hint that led here, a message is claimed once for each attempt.
"""

import time
from collections.abc import Sequence
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

import structlog

from sms_backend.core import metrics
from sms_backend.core.environment import environment
from sms_backend.messages import claim
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.settle import Settlement, settle
from sms_backend.pipeline import reports
from sms_backend.pipeline.adapters import adapters
from sms_backend.pipeline.callback_urls import attempt_url
from sms_backend.pipeline.courier import Courier
from sms_backend.pipeline.opt_outs import without_opted_out
from sms_backend.pipeline.persist import persist_at_any_cost
from sms_backend.pipeline.retry import Waits, settlement
from sms_backend.routing.selection import Choice, Snapshot, choose
from sms_backend.routing.selectors import snapshot
from sms_contract.segments import Encoding
from sms_contract.status import Mode, TrafficType
from sms_providers.sending import Job, Result
from sms_providers.transport import TOTAL
from sms_providers.types import OutboundSms, Receipt

log = structlog.get_logger()
_rng = Random()  # noqa: S311 - jitter and weights, no secrets
_waits = Waits(unknown=environment.smsgw_unknown_wait, unknown_otp=environment.smsgw_unknown_wait_otp)
courier = Courier(observe=metrics.observe_provider)

#: Seconds until a message that no provider fits is looked at again.
_NOBODY = 5.0


def dispatch(lane: str, *, until: float) -> int:
    """
    Claim and send due messages until a lane has none, or `until` (monotonic) has passed; returns how many were claimed.

    Before each claim of `promotional` the lanes that it waits for are emptied. `otp` has workers of its own: `transactional` need not look.
    """
    total = 0
    while True:
        claimed = next((size for overtaking in _overtaking(lane) if (size := dispatch_once(overtaking))), 0)
        total += claimed
        if not claimed or time.monotonic() > until:
            return total


def _overtaking(lane: str) -> tuple[str, ...]:
    """The lanes to claim from, the most urgent first."""
    return tuple(TrafficType) if lane == TrafficType.PROMOTIONAL else (lane,)


def dispatch_once(lane: str) -> int:
    """One claim, sent and settled; returns its size."""
    claimed_at = time.monotonic()
    providers = snapshot()
    with hot_cursor() as cursor:
        rows = claim.due(cursor, lane=lane, limit=environment.smsgw_batch, now_ms=time.time_ns() // 1_000_000)
        starts: list[claim.Start] = []
        waits: list[tuple[Any, float]] = []
        for row in without_opted_out(cursor, rows):
            choice = _choose(providers, row, [*row.unsuitable, *row.tried])
            if choice.exhausted and row.tried:
                # A round was left unfinished: by a resend with nobody else to go to, or by a provider that has gone since.
                choice = _choose(providers, row, row.unsuitable)
            if choice.provider is None or not adapters.has(choice.provider):
                waits.append((row, _NOBODY))
            else:
                starts.append(claim.Start(message=row, provider=choice.provider, decision=choice.decision()))
        claim.start(cursor, starts, lease=environment.smsgw_lease)
        claim.postpone(cursor, waits)
    if starts:
        _send(starts, providers, not_after=claimed_at + environment.smsgw_lease - TOTAL)
    return len(rows)


def _send(starts: Sequence[claim.Start], providers: Snapshot, *, not_after: float) -> None:
    jobs = [Job(provider=adapters.get(s.provider), sms=_outbound(s), not_after=not_after) for s in starts]
    for chunk in courier.deliver(jobs):
        settlements: list[Settlement] = []
        early: list[tuple[UUID, int, str, Receipt]] = []
        for index, result in chunk:
            start = starts[index]
            settlements.append(_settlement(start, result, providers))
            if result.accepted is not None:
                early += [(start.message.id, start.number, start.provider, receipt) for receipt in result.accepted.receipts]
            _record(start, result, settlements[-1])
        persist_at_any_cost(partial(settle, settlements=settlements))
        if early:
            persist_at_any_cost(partial(reports.apply_own, found=early))


def _settlement(start: claim.Start, result: Result, providers: Snapshot) -> Settlement:
    outcome = result.accepted or result.error
    assert outcome is not None
    return settlement(
        start.message,
        provider=start.provider,
        result=outcome,
        choose=partial(_choose, providers, start.message),
        waits=_waits,
        rng=_rng,
    )


def _choose(providers: Snapshot, message: Any, tried: Sequence[str]) -> Choice:
    return choose(
        providers,
        mode=message.mode,
        recipient=message.recipient,
        sender=message.sender,
        segments=message.segments,
        wanted=message.providers,
        tried=tried,
        open_circuits=(),
        rng=_rng,
    )


def _outbound(start: claim.Start) -> OutboundSms:
    message, tracking_id = start.message, str(start.message.id)
    capabilities = adapters.get(start.provider).capabilities
    return OutboundSms(
        tracking_id=tracking_id,
        attempt=start.number,
        reference=tracking_id,
        to=message.recipient,
        text=message.wire_text or message.text,
        sender=message.sender,
        encoding=Encoding(message.encoding),
        segments=message.segments,
        validity=max(1, int(message.expires_at.timestamp() - time.time())),
        traffic_type=TrafficType(message.lane),
        mode=Mode(message.mode),
        callback_url=attempt_url(start.provider, adapters.callback_token(start.provider), tracking_id, start.number)
        if capabilities.callback_per_message
        else None,
    )


def _record(start: claim.Start, result: Result, settled: Settlement) -> None:
    metrics.attempts.labels(start.provider, settled.outcome).inc()
    log.info(
        "attempt.settled",
        tracking_id=str(start.message.id),
        client=start.message.client_id,
        provider=start.provider,
        attempt=start.number,
        outcome=str(settled.outcome),
        status=str(settled.status),
        code=settled.error_code,
        provider_code=settled.error_provider_code,
        seconds=round(result.seconds, 3),
    )
