"""A claim's plan: who starts, who waits and for how long; no row is forgotten, none is planned twice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from sms_backend.pipeline.dispatch import Clock
from sms_backend.pipeline.planning import Plan, Planner, patience
from sms_backend.routing.candidates import Candidate, Snapshot
from sms_backend.routing.circuits import Circuit
from sms_backend.routing.conditions import Conditions
from sms_backend.routing.throughput import Demand, Supply
from sms_contract.ids import uuid7

NOW = 1_800_000_000_000
SLUGS = ("alpha", "beta", "gamma")


@dataclass
class Row:
    id: UUID = field(default_factory=lambda: UUID(uuid7(NOW)))
    client_id: str = "c0ffee000001"
    mode: str = "live"
    lane: str = "transactional"
    recipient: str = "+447911123456"
    sender: str | None = None
    segments: int = 1
    providers: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    unsuitable: list[str] = field(default_factory=list)
    resends: int = 0
    failovers: int = 0
    provider: str | None = None
    attempts: int = 0


def planned(
    rows: list[Row], candidates: list[Candidate], *, ill: Mapping[str, int] | None = None, tokens: int = 1000, won: bool = True
) -> Plan:
    def take(demands: Mapping[str, Demand]) -> dict[str, Supply]:
        return {
            slug: Supply(granted=min(tokens, len(d.segments)), waits=(1.5,) * max(0, len(d.segments) - tokens))
            for slug, d in demands.items()
        }

    return Planner(
        providers=Snapshot(candidates),
        conditions=Conditions(circuits={slug: Circuit(opened_at=NOW, probe_at=at, reason="errors") for slug, at in (ill or {}).items()}),
        lane="transactional",
        now_ms=NOW,
        rng=Random(1),
        usable=lambda slug: True,
        deduplicates=lambda slug: slug == "alpha",
        take=take,
        claim_probe=lambda slug: won,
    ).plan(rows)


rows = st.builds(
    Row,
    providers=st.lists(st.sampled_from(SLUGS), unique=True),
    tried=st.lists(st.sampled_from(SLUGS), unique=True),
    unsuitable=st.lists(st.sampled_from(SLUGS), unique=True, max_size=2),
    resends=st.integers(0, 1),
    provider=st.sampled_from([None, *SLUGS]),
    client_id=st.sampled_from(["one", "two"]),
)
candidates = st.lists(
    st.builds(
        Candidate, slug=st.sampled_from(SLUGS), active=st.booleans(), priority=st.integers(0, 2), throughput=st.sampled_from([None, 5.0])
    ),
    unique_by=lambda c: c.slug,
)
ill = st.dictionaries(st.sampled_from(SLUGS), st.sampled_from([NOW - 1, NOW + 5000]))


@given(st.lists(rows, max_size=12, unique_by=lambda row: row.id), candidates, ill, st.integers(0, 5), st.booleans())
def test_every_row_is_planned_once_and_nobody_who_may_not_be_called_is(claimed, providers, circuits, tokens, won):
    plan = planned(claimed, providers, ill=circuits, tokens=tokens, won=won)
    assert sorted([s.message.id for s in plan.starts] + [row.id for row, _ in plan.waits]) == sorted(row.id for row in claimed)
    active = {c.slug for c in providers if c.active}
    for start in plan.starts:
        assert start.provider in active
        assert start.provider not in start.message.unsuitable
        assert start.provider not in circuits or start.message.id in plan.probes
    assert len(plan.probes) <= len(circuits)
    assert all(0 < wait <= 60 for _, wait in plan.waits)
    assert won or not plan.probes


def test_one_message_probes_and_is_taken_from_those_that_had_tried_it_before():
    plan = planned([Row(tried=["alpha"]) for _ in range(5)], [Candidate(slug="alpha")], ill={"alpha": NOW - 1})
    assert [start.decision["because"] for start in plan.starts] == ["probe"]
    assert len(plan.waits) == 4


def test_one_of_those_that_wait_is_there_when_the_next_probe_may_be_made():
    plan = planned([Row() for _ in range(20)], [Candidate(slug="alpha")], ill={"alpha": NOW + 1000})
    assert min(wait for _, wait in plan.waits) == 1.0
    assert sum(wait < 2 for _, wait in plan.waits) == 1


def test_what_it_has_already_goes_to_the_same_again_unless_it_may_not_be_called():
    row = Row(resends=1, provider="alpha")
    both = [Candidate(slug="alpha"), Candidate(slug="beta", priority=9)]
    assert planned([row], both).starts[0].decision["because"] == "same_again"
    assert planned([row], both, ill={"alpha": NOW + 1}).starts[0].provider == "beta"
    assert planned([Row(resends=1, provider="beta")], both).starts[0].decision["because"] == "priority"


def test_what_it_has_already_waits_for_tokens_there_rather_than_go_elsewhere():
    both = [Candidate(slug="alpha", throughput=5.0), Candidate(slug="beta", priority=9)]
    plan = planned([Row(resends=1, provider="alpha")], both, tokens=0)
    assert (plan.starts, [wait for _, wait in plan.waits]) == ([], [1.5])
    assert planned([Row(providers=["alpha", "beta"])], both, tokens=0).starts[0].provider == "beta"


def test_patience_grows_with_age_up_to_half_a_minute_and_otp_has_none():
    rng = Random(3)
    assert patience(Row(), NOW, rng) <= 5
    assert 15 <= patience(Row(), NOW + 3_600_000, rng) <= 30
    assert patience(Row(lane="otp"), NOW + 3_600_000, rng) <= 2.5


def test_no_request_begins_after_its_message_is_no_longer_valid() -> None:
    clock = Clock(wall=1_800_000_000.0, monotonic=50.0)
    assert clock.at(datetime.fromtimestamp(1_800_000_004.5, UTC)) == 54.5
    assert clock.at(datetime.fromtimestamp(1_799_999_999, UTC)) == 49.0
