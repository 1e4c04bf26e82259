"""
Who takes which of the messages that a claim has locked, and when the others are looked at again. Pure, but for what it is lent.

A message waits, and no attempt is counted, while everyone who could have it is ill, paused or has no tokens left.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

from sms_backend.messages.claim import Start
from sms_backend.routing.candidates import Snapshot
from sms_backend.routing.conditions import Conditions
from sms_backend.routing.selection import NOTHING_SPECIAL, Because, Choice, Now, Skipped, choose
from sms_backend.routing.throughput import Demand, Supply
from sms_contract.ids import created_ms
from sms_contract.status import Mode, TrafficType

#: Seconds until a message that no provider fits is looked at again.
NOBODY = 5.0
#: While all circuits are open a message is looked at again after a quarter of its age, within these bounds (seconds).
_PATIENCE = (5.0, 30.0)
_PATIENCE_OTP = 2.5
_SOON = 0.5
#: Seconds after which a provider that takes so many segments a second is looked at again: well within what it may save up.
_PACE = 0.25

Take = Callable[[Mapping[str, Demand]], Mapping[str, Supply]]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What becomes of a claim."""

    starts: list[Start] = field(default_factory=list)
    waits: list[tuple[Any, float]] = field(default_factory=list)  #: message, seconds
    probes: set[UUID] = field(default_factory=set)  #: messages that try out an ill provider
    turns: list[float] = field(default_factory=list)  #: when there may be tokens for the next, in seconds


@dataclass(kw_only=True)
class Planner:
    """Plans one claim of one lane."""

    providers: Snapshot
    conditions: Conditions
    lane: str
    now_ms: int
    rng: Random
    usable: Callable[[str], bool]  #: whether there is an adapter for it
    deduplicates: Callable[[str], bool]  #: whether it recognises what it has already
    take: Take  #: tokens, at several providers at once
    claim_probe: Callable[[str], bool]

    def __post_init__(self) -> None:
        circuits = self.conditions.circuits
        self._open = frozenset(circuits)
        self._probable = {slug for slug, circuit in circuits.items() if circuit.may_be_probed(self.now_ms)}
        self._throttled: set[str] = set()
        self._rates = {c.slug: c.throughput for c in self.providers.ordered if c.throughput is not None}
        self._now = Now(open_circuits=self._open) if self._open else NOTHING_SPECIAL
        self._probe_awaited = False

    def plan(self, rows: Sequence[Any]) -> Plan:
        """Each row ends in `starts` or in `waits`."""
        plan = Plan()
        turns: dict[UUID, float] = {}
        undecided = _in_turn(rows) if self._rates else rows
        while undecided:
            queues: dict[str, list[tuple[Any, Choice]]] = {}
            for row in undecided:
                choice = self._choice(row)
                slug = choice.provider
                if slug is None or not self.usable(slug):
                    wait = self._wait(row, choice, turns)
                    plan.waits.append((row, wait))
                    if choice.chosen_because is Because.THROUGHPUT:
                        plan.turns.append(wait)
                elif slug in self._rates and choice.chosen_because is not Because.PROBE:
                    queues.setdefault(slug, []).append((row, choice))
                else:
                    _start(plan, row, choice)
            # Whoever got no token at one provider may get one at the next that fits.
            undecided = self._served(plan, queues, turns)
        return plan

    def _served(self, plan: Plan, queues: Mapping[str, list[tuple[Any, Choice]]], turns: dict[UUID, float]) -> list[Any]:
        demands = {slug: Demand(rate=self._rates[slug], segments=[row.segments for row, _ in queue]) for slug, queue in queues.items()}
        left: list[Any] = []
        for slug, supply in (self.take(demands) if demands else {}).items():
            for row, choice in queues[slug][: supply.granted]:
                _start(plan, row, choice)
            if supply.granted:
                plan.turns.append(_PACE)
            for (row, _), turn in zip(queues[slug][supply.granted :], supply.waits, strict=True):
                turns[row.id] = min(turn, turns.get(row.id, turn))
                left.append(row)
                self._throttled.add(slug)
        return left

    def _choice(self, row: Any) -> Choice:
        now = self._now_for(row)
        same = self._same_again(row, now)
        if same is not None:
            return same
        if self._probable:
            probe = self._probe(row, now)
            if probe is not None:
                return probe
        return self._unfinished(row, now)

    def _unfinished(self, row: Any, now: Now) -> Choice:
        choice = self._chosen(row, row.tried, now)
        if choice.exhausted and row.tried:
            # A round was left unfinished: by open circuits, by a resend with nobody else to go to, by a provider that has gone since.
            choice = self._chosen(row, (), now)
        return choice

    def _probe(self, row: Any, now: Now) -> Choice | None:
        """The call that tries out an ill provider, if it would be this message's next were it well."""
        lenient = Now(open_circuits=self._open - self._probable, paused=now.paused, throttled=now.throttled, avoided=now.avoided)
        choice = self._unfinished(row, lenient)
        slug = choice.provider
        if slug is None or slug not in self._probable or not self.usable(slug):
            return None
        self._probable.discard(slug)
        if not self.claim_probe(slug):
            return None
        return Choice(provider=slug, chosen_because=Because.PROBE, skipped=choice.skipped)

    def _same_again(self, row: Any, now: Now) -> Choice | None:
        """After an unclear answer: whoever recognises the reference gets it again, while he can be called."""
        slug = row.provider
        if not row.resends or slug is None or slug in {*row.tried, *row.unsuitable} or not self.usable(slug) or not self.deduplicates(slug):
            return None
        candidate = self.providers.by_slug.get(slug)
        if candidate is None or not candidate.active or slug in now.open_circuits or slug in now.paused:
            return None
        if slug in now.throttled:
            # Anybody else might send it a second time: its turn comes soon.
            return Choice(provider=None, chosen_because=Because.THROUGHPUT, skipped={slug: Skipped.THROUGHPUT})
        return Choice(provider=slug, chosen_because=Because.SAME_AGAIN)

    def _chosen(self, row: Any, tried: Collection[str], now: Now) -> Choice:
        return chosen(self.providers, row, tried=tried, unsuitable=row.unsuitable, now=now, rng=self.rng)

    def _now_for(self, row: Any) -> Now:
        paused = self.providers.paused_for(row.client_id, row.lane)
        avoided = self.conditions.avoided_by(row.client_id, row.sender)
        if not (paused or avoided or self._throttled):
            return self._now
        return Now(open_circuits=self._open, paused=paused, throttled=self._throttled, avoided=avoided)

    def _wait(self, row: Any, choice: Choice, turns: Mapping[UUID, float]) -> float:
        if choice.chosen_because is Because.THROUGHPUT:
            return turns.get(row.id, NOBODY)
        if choice.chosen_because is not Because.CIRCUITS_OPEN:
            return NOBODY
        wait = patience(row, self.now_ms, self.rng)
        if not self._probe_awaited:
            # One of them is there when the next call may be made.
            self._probe_awaited = True
            ill = [slug for slug, why in choice.skipped.items() if why is Skipped.CIRCUIT_OPEN]
            wait = min(wait, max(_SOON, self.conditions.until_probe(ill, self.now_ms)))
        return wait


def chosen(providers: Snapshot, row: Any, *, tried: Collection[str], unsuitable: Collection[str], now: Now, rng: Random) -> Choice:
    """The selection for a claimed row."""
    return choose(
        providers,
        mode=row.mode,
        recipient=row.recipient,
        wanted=row.providers,
        tried=tried,
        unsuitable=unsuitable,
        # The built-in provider is never ill, paused or short of tokens: what it answers is what it was asked to.
        now=now if row.mode != Mode.TEST else NOTHING_SPECIAL,
        rng=rng,
    )


def patience(row: Any, now_ms: int, rng: Random) -> float:
    """Seconds until a message whose providers are all ill is looked at again: longer and longer, so that a backlog costs little."""
    if row.lane == TrafficType.OTP:
        return rng.uniform(_PATIENCE_OTP / 2, _PATIENCE_OTP)
    least, most = _PATIENCE
    age = max(0, now_ms - created_ms(str(row.id))) / 1000
    return rng.uniform(0.5, 1.0) * min(most, max(least, age / 4))


def _start(plan: Plan, row: Any, choice: Choice) -> None:
    assert choice.provider is not None
    decision = choice.decision()
    if row.failovers:
        decision["failover"] = row.failovers
    plan.starts.append(Start(message=row, provider=choice.provider, decision=decision))
    if choice.chosen_because is Because.PROBE:
        plan.probes.add(row.id)


def _in_turn(rows: Sequence[Any]) -> list[Any]:
    """One of each client after the other, so that the tokens of a claim go round."""
    seen: Counter[str] = Counter()
    places: list[tuple[int, int]] = []
    for position, row in enumerate(rows):
        seen[row.client_id] += 1
        places.append((seen[row.client_id], position))
    return [rows[position] for _, position in sorted(places)]
