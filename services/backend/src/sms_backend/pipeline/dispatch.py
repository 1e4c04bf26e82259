"""
Dispatch: claim what is due, send it with no transaction open, settle until it has committed, show it.

PostgreSQL is the queue of record: whatever happens to the hint that led here, a message is claimed once for each attempt.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from random import Random
from uuid import UUID

from sms_backend.core import metrics
from sms_backend.core.environment import environment
from sms_backend.core.logs import tell_each
from sms_backend.core.traces import traces
from sms_backend.messages import claim
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.settle import Settlement, settle
from sms_backend.pipeline import reports
from sms_backend.pipeline.adapters import adapters
from sms_backend.pipeline.courier import courier
from sms_backend.pipeline.opt_outs import without_opted_out
from sms_backend.pipeline.pace import pace
from sms_backend.pipeline.persist import persist_at_any_cost
from sms_backend.pipeline.planning import Plan, Planner, chosen
from sms_backend.pipeline.retry import Waits, settlement
from sms_backend.routing import avoided, circuits, conditions, throughput
from sms_backend.routing.callback_urls import attempt_url
from sms_backend.routing.candidates import Snapshot
from sms_backend.routing.conditions import Conditions
from sms_backend.routing.selection import Choice, Now
from sms_backend.routing.selectors import snapshot
from sms_contract.segments import Encoding
from sms_contract.status import Mode, TrafficType
from sms_contract.trace import trace_id
from sms_providers.errors import Outcome
from sms_providers.sending import Job, Result
from sms_providers.transport import TOTAL
from sms_providers.types import OutboundSms, Receipt

_rng = Random()  # noqa: S311 - jitter and weights, no secrets
waits = Waits(unknown=environment.smsgw_unknown_wait, unknown_otp=environment.smsgw_unknown_wait_otp)


@dataclass(frozen=True, kw_only=True, slots=True)
class Clock:
    """One moment, by PostgreSQL's clock and by the monotonic one: a worker's own may be hours off."""

    wall: float
    monotonic: float

    def at(self, moment: datetime) -> float:
        """A moment, by the clock that requests are bounded by."""
        return self.monotonic + moment.timestamp() - self.wall


#: Told of a lane whose next message has its turn within so many seconds.
Wake = Callable[[str, float], None]
#: Told of the slots of a lane whose hints the claim that follows at once answers.
Answered = Callable[[str, Collection[int]], None]


def dispatch(lane: str, *, until: float, slot: int | None = None, answered: Answered | None = None, wake: Wake | None = None) -> int:
    """
    Claim and send due messages until a lane has none, or `until` (monotonic) has passed; returns how many were claimed.

    `slot` is that of the hint that led here.

    Before each claim of `promotional` the lanes that it waits for are emptied. `otp` has workers of its own: `transactional` need not look.
    """
    total = 0
    while True:
        slots = pace.wait(lane, slot)
        if slots is None:
            return total
        slot = None
        if slots and answered is not None:
            answered(lane, slots)
        claimed = next((size for overtaking in _overtaking(lane) if (size := dispatch_once(overtaking, wake=wake))), 0)
        total += claimed
        if not claimed or time.monotonic() > until:
            return total


def _overtaking(lane: str) -> tuple[str, ...]:
    """The lanes to claim from, the most urgent first."""
    return tuple(TrafficType) if lane == TrafficType.PROMOTIONAL else (lane,)


def dispatch_once(lane: str, *, wake: Wake | None = None) -> int:
    """One claim, sent and settled; returns its size."""
    claimed_at = time.monotonic()
    now_ms = time.time_ns() // 1_000_000
    providers = snapshot()
    with hot_cursor(plan_once=True) as cursor:
        rows = claim.due(cursor, lane=lane, limit=environment.smsgw_batch, now_ms=now_ms)
        pace.claimed(lane, len(rows), environment.smsgw_batch)
        if not rows:
            return 0
        now = conditions.read(providers.monitored)
        plan = Planner(
            providers=providers,
            conditions=now,
            lane=lane,
            now_ms=now_ms,
            rng=_rng,
            usable=adapters.has,
            deduplicates=_deduplicates,
            take=partial(throughput.take, lane=lane),
            claim_probe=circuits.claim_probe,
        ).plan(without_opted_out(cursor, rows))
        references = claim.start(cursor, plan.starts, lease=environment.smsgw_lease, deduplicates=_deduplicates)
        claim.postpone(cursor, plan.waits)
    if plan.starts:
        _send(plan, references, providers, now, claimed_at=claimed_at)
    if wake is not None and plan.turns:
        wake(lane, min(plan.turns))
    return len(rows)


def _deduplicates(slug: str) -> bool:
    return adapters.get(slug).capabilities.deduplicates


def _send(plan: Plan, references: Mapping[UUID, str], providers: Snapshot, now: Conditions, *, claimed_at: float) -> None:
    starts = plan.starts
    lease_ends = claimed_at + environment.smsgw_lease - TOTAL
    clock = Clock(wall=starts[0].message.claimed_at.timestamp(), monotonic=claimed_at)
    jobs = [
        Job(
            provider=adapters.get(s.provider),
            sms=_outbound(s, references[s.message.id]),
            not_after=min(lease_ends, clock.at(s.message.expires_at)),
        )
        for s in starts
    ]
    for chunk in courier.deliver(jobs):
        settlements: list[Settlement] = []
        early: list[tuple[UUID, int, str, Receipt]] = []
        for index, result in chunk:
            start = starts[index]
            settlements.append(_settlement(start, result, providers, now))
            if result.accepted is not None:
                early += [(start.message.id, start.number, start.provider, receipt) for receipt in result.accepted.receipts]
        persist_at_any_cost(partial(settle, settlements=settlements))
        _record([(starts[index], result) for index, result in chunk], settlements)
        if early:
            persist_at_any_cost(partial(reports.apply_own, found=early))
        _learn(plan, [(starts[index], result) for index, result in chunk], providers)


def _learn(plan: Plan, results: Sequence[tuple[claim.Start, Result]], providers: Snapshot) -> None:
    """What the next claims should know of the providers: how well they are, and whose sender they refused."""
    tallies: dict[str, circuits.Tally] = {}
    refusals: set[avoided.Refusal] = set()
    for start, result in results:
        slug = start.provider
        if slug not in providers.monitored:
            continue
        tallies.setdefault(slug, circuits.Tally()).add(result.error, probe=start.message.id in plan.probes)
        if result.error is not None and result.error.remembered:
            refusals.add((slug, start.message.client_id, start.message.sender or ""))
    circuits.record(tallies)
    avoided.remember(refusals)


def _settlement(start: claim.Start, result: Result, providers: Snapshot, now: Conditions) -> Settlement:
    outcome = result.accepted or result.error
    assert outcome is not None
    message = start.message

    def choose(tried: Collection[str], unsuitable: Collection[str]) -> Choice:
        special = Now(open_circuits=now.circuits, paused=providers.paused_for(message.client_id, message.lane))
        return chosen(providers, message, tried=tried, unsuitable=unsuitable, now=special, rng=_rng)

    return settlement(
        message,
        provider=start.provider,
        result=outcome,
        choose=choose,
        waits=waits,
        rng=_rng,
        capabilities=adapters.get(start.provider).capabilities,
    )


def _outbound(start: claim.Start, reference: str) -> OutboundSms:
    message, tracking_id = start.message, str(start.message.id)
    capabilities = adapters.get(start.provider).capabilities
    return OutboundSms(
        tracking_id=tracking_id,
        attempt=start.number,
        reference=reference,
        to=message.recipient,
        text=message.wire_text or message.text,
        sender=message.sender,
        encoding=Encoding(message.encoding),
        segments=message.segments,
        validity=max(1, int((message.expires_at - message.claimed_at).total_seconds())),
        traffic_type=TrafficType(message.lane),
        mode=Mode(message.mode),
        callback_url=attempt_url(start.provider, adapters.callback_token(start.provider), tracking_id, start.number)
        if capabilities.callback_per_message
        else None,
    )


def _record(results: Sequence[tuple[claim.Start, Result]], settlements: Sequence[Settlement]) -> None:
    counts = Counter((start.provider, settled.outcome) for (start, _), settled in zip(results, settlements, strict=True))
    for (provider, outcome), count in counts.items():
        metrics.attempts.labels(provider, outcome).inc(count)
    told = [_told(start, result, settled) for (start, result), settled in zip(results, settlements, strict=True)]
    tell_each("attempt.settled", told)
    if traces.on:
        for (start, result), settled in zip(results, settlements, strict=True):
            about = {"smsgw.tracking_id": str(start.message.id), "smsgw.provider": start.provider, "smsgw.outcome": str(settled.outcome)}
            failed = settled.outcome != Outcome.ACCEPTED
            traces.told("send", start.message.traceparent, seconds=result.seconds, failed=failed, call=True, about=about)


def _told(start: claim.Start, result: Result, settled: Settlement) -> dict[str, object]:
    tracking_id = str(start.message.id)
    return {
        "tracking_id": tracking_id,
        "client": start.message.client_id,
        "provider": start.provider,
        "attempt": start.number,
        "outcome": settled.outcome,
        "status": settled.status,
        "code": settled.error_code,
        "provider_code": settled.error_provider_code,
        "seconds": round(result.seconds, 3),
        "trace_id": trace_id(start.message.traceparent, tracking_id),
    }
