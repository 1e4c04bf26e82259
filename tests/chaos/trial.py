"""One scenario, from its load to its account."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from chaos.account import Account
from chaos.background import Background
from chaos.evidence import read
from chaos.people import People
from chaos.scenario import Scenario
from chaos.stage import Stage
from chaos.system import System, Variation
from chaos.waiting import NotSoError, until
from chaos.workload import PATIENCE, Load

#: A report follows quickly, so that a run does not wait for the network of somebody who does not exist.
QUICK = {"reports": {"statuses": [{"status": "sent", "delay": 0.05}, {"status": "delivered", "delay": 0.1}]}}
_BEFORE, _AFTER = 15, 20  #: accepted before the fault, and of what was first tried after it
#: Seconds until it must be whole again. What is spoilt shows sooner.
_HEALS, _HEALS_SPOILT = 60.0, 30.0
#: Seconds without anything moving, after which what is not in PostgreSQL is lost, and not on its way there.
_ON_ITS_WAY = 12.0
#: A machine that is busy with something else refuses now and then; a fault that reaches the clients shows in far more than this share.
_NOTICED = 0.05
#: What a problem begins with that says nothing of the system.
_BROKE = "the scenario failed:"
#: A repeat within the moment in which the end of its first try is being written.
_IN_PROGRESS = "409 idempotency.in_progress"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a scenario came to."""

    scenario: Scenario
    seed: int
    account: Account | None
    problems: list[str]
    answers: Mapping[str, int]
    slowest_answer: float  #: seconds, of those that were answered
    accepting_after: float | None  #: seconds from the end of the fault until what was tried after it was accepted
    settled_after: float | None  #: seconds from the end of the fault until every message had ended
    seconds: float
    events: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.problems

    @property
    def has_found(self) -> bool:
        """Whether there is a problem that is not the scenario's own."""
        return any(not problem.startswith(_BROKE) for problem in self.problems)

    def document(self) -> dict[str, Any]:
        """For `--json`."""
        account = self.account
        figures: dict[str, Any] = {}
        if account is not None:
            figures = {name: getattr(account, name) for name in ("attempted", "acknowledged", "ok", "recovered")}
            listed = ("lost", "duplicated", "unexpected", "stuck", "unanswered", "unknown", "twice", "quota")
            figures |= {name: len(getattr(account, name)) for name in listed}
            figures |= {"listed": {name: getattr(account, name) for name in listed}, "statuses": dict(account.statuses)}
        return {
            "scenario": self.scenario.name,
            "number": self.scenario.number,
            "held": self.ok,
            "problems": self.problems,
            **figures,
            "answers": dict(self.answers),
            "slowest_answer": round(self.slowest_answer, 2),
            "accepting_after": _rounded(self.accepting_after),
            "settled_after": _rounded(self.settled_after),
            "seconds": round(self.seconds, 1),
            "seed": self.seed,
            "events": self.events,
        }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


@dataclass
class _Course:
    """What is known of a trial while it goes on."""

    account: Account | None = None
    problems: list[str] = field(default_factory=list)
    accepting_after: float | None = None
    settled_after: float | None = None
    #: Whether one problem says all that is wanted, as where a mutation is to be found.
    found_enough: bool = False

    @property
    def patience(self) -> float:
        """Seconds that clients go on for after the load."""
        return 0.0 if self.is_over else PATIENCE / 3 if self.found_enough else PATIENCE

    @property
    def is_over(self) -> bool:
        return self.found_enough and bool(self.problems)


def run(
    scenario: Scenario,
    *,
    system: System,
    people: People,
    background: Background,
    seed: int,
    say: Callable[[str], None],
    mutant: Mapping[str, Variation] | None = None,
) -> Trial:
    """Load, fault, load, account. Whatever does not happen that should is a problem of the trial, never an exception."""
    began = time.monotonic()
    rng = random.Random(f"{seed} {scenario.name}")
    load = Load(system.instance.gateway_url, people.customers, run=f"{scenario.name} {uuid4().hex[:6]}", style=scenario.style, rng=rng)
    events: list[str] = []

    def note(event: str) -> None:
        events.append(f"{time.monotonic() - began:.1f} {event}")
        say(event)

    heals = _HEALS if mutant is None else _HEALS_SPOILT
    variations = {**scenario.variations, **{name: spoilt.over(scenario.variations.get(name)) for name, spoilt in (mutant or {}).items()}}
    stage = Stage(system=system, load=load, rng=rng, accounts=people.accounts, say=note, variations=variations, patience=heals)
    course = _Course(found_enough=mutant is not None)
    try:
        system.vary(variations)
        system.wait_ready()
        people.turn_to(system, scenario.vendor)
        stage = replace(stage, accounts=people.accounts)
        stage.behave(**(QUICK | dict(scenario.behaviour)))
        _carry_out(stage, scenario, people, background, course)
    except NotSoError as missed:
        course.problems.append(str(missed))
    if course.account is not None:
        course.problems += course.account.problems
    others = {said: count for said, count in load.answers.items() if not said.startswith(("202", _IN_PROGRESS))}
    if scenario.only_accepted and sum(others.values()) > _NOTICED * load.answers.total():
        course.problems.append(f"clients must not notice, and were answered {others}")
    return Trial(
        scenario=scenario,
        seed=seed,
        account=course.account,
        problems=course.problems,
        answers=dict(load.answers),
        slowest_answer=load.slowest,
        accepting_after=course.accepting_after,
        settled_after=course.settled_after,
        seconds=time.monotonic() - began,
        events=events,
    )


def _carry_out(stage: Stage, scenario: Scenario, people: People, background: Background, course: _Course) -> None:
    working = background.start(stage.load.work())
    try:
        stage.accepted(_BEFORE)
        try:
            scenario.act(stage)
        except NotSoError as missed:
            course.problems.append(str(missed))
        except Exception as fault:  # noqa: BLE001 - of the scenario itself: it has proved nothing, and the others go on
            course.problems.append(f"{_BROKE} {type(fault).__name__}: {fault}")
        healed = time.monotonic()
        stage.say("the fault is over")
        if not course.is_over:
            _accepts_again(stage, healed, course)
    finally:
        background.run(stage.load.stop(patience=course.patience))
        until(working.done, seconds=120, what="the clients at their end")
    if not course.is_over:
        _wait_for_the_end(stage, scenario, people, course)
        course.settled_after = time.monotonic() - healed


def _accepts_again(stage: Stage, healed: float, course: _Course) -> None:
    what = f"{_AFTER} new messages accepted after the fault"
    try:
        until(lambda: stage.load.acknowledged_since(healed) >= _AFTER, seconds=stage.patience, what=what)
        course.accepting_after = time.monotonic() - healed
    except NotSoError as missed:
        course.problems.append(f"does not heal: {missed} (answers: {dict(stage.load.answers)}; {stage.system.unready()})")


def _wait_for_the_end(stage: Stage, scenario: Scenario, people: People, course: _Course) -> None:
    """Until the account is clean twice, or cannot become clean any more: it is beyond repair, or nothing has moved for too long."""
    patience = stage.system.lease + stage.system.unknown_wait + (0 if course.found_enough else 20 + scenario.patience)
    seen: object = None
    moved = time.monotonic()
    clean = broken = 0
    while clean < 2:
        evidence = read(stage, people.customers)
        account = evidence.account(stage, scenario.rules)
        course.account = account
        clean = clean + 1 if not account.problems else 0
        if course.found_enough and (account.duplicated or account.unexpected or account.unanswered):
            return
        state = (sorted(account.statuses.items()), len(evidence.taken), account.quota, len(account.lost), len(account.stuck))
        if state != seen:
            seen, moved = state, time.monotonic()
        if course.found_enough and account.lost and time.monotonic() - moved > _ON_ITS_WAY:
            return
        broken = broken + 1 if account.duplicated or account.unexpected else 0
        if broken > 2 or time.monotonic() - moved > patience:
            return
        time.sleep(0.7)


def all_ok(trials: Sequence[Trial]) -> bool:
    """Whether everything held."""
    return all(trial.ok for trial in trials)
