"""The seven outcomes through the real dispatch: one provider or several, either policy, whatever the vendor can do."""

import time
from collections.abc import Callable

import pytest

from sms_backend.core.cache import cache
from sms_backend.messages import sweep
from sms_backend.messages.models import Attempt, Message
from sms_backend.pipeline import upkeep
from sms_backend.pipeline.dispatch import dispatch
from sms_backend.pipeline.persist import persist
from sms_backend.routing import circuits
from sms_contract.envelope import Submission
from sms_contract.ids import uuid7
from sms_providers.errors import (
    MisconfiguredError,
    NotSentError,
    RefusedError,
    SendError,
    UnavailableError,
    UnknownOutcomeError,
    UnsuitableError,
)

NOT_SENT, BUSY, UNKNOWN = NotSentError("connect"), UnavailableError("busy"), UnknownOutcomeError("no answer")
UNSUITABLE, BROKEN, REFUSED = UnsuitableError("no"), MisconfiguredError("401"), RefusedError("bad", code="recipient.invalid_number")
Live = Callable[..., Submission]


def message(made: Submission) -> Message:
    return Message.objects.get(id=made.tracking_id)


def attempts(made: Submission) -> list[tuple[str, str]]:
    return list(Attempt.objects.filter(message_id=made.tracking_id).values_list("provider", "outcome"))


def run(times: int = 3) -> None:
    """Claims as they come, with waits cut short."""
    for _ in range(times):
        Message.objects.filter(status="queued").update(next_attempt_at="2020-01-01T00:00:00Z")
        dispatch("transactional", until=0)


def decide(deduplicating: list[str] | None = None) -> None:
    Message.objects.filter(status="sending").update(unknown_until="2020-01-01T00:00:00Z")
    persist(lambda cursor: sweep.decided_unknowns(cursor, limit=10, deduplicating=deduplicating or ()))


@pytest.mark.parametrize(
    ("error", "outcome", "alone", "with_another"),
    [
        (None, "accepted", ("sent", 1), ("sent", ["alpha"])),
        (NOT_SENT, "not_sent", ("queued", 1), ("sent", ["alpha", "beta"])),
        (BUSY, "unavailable", ("queued", 1), ("sent", ["alpha", "beta"])),
        (UNSUITABLE, "not_for_this_provider", ("failed", 1), ("sent", ["alpha", "beta"])),
        (BROKEN, "misconfigured", ("queued", 1), ("sent", ["alpha", "beta"])),
        (REFUSED, "refused", ("failed", 1), ("failed", ["alpha"])),
        (UNKNOWN, "unknown", ("sending", 1), ("sending", ["alpha"])),
    ],
)
@pytest.mark.parametrize("listed", [False, True])
def test_what_an_outcome_leads_to(vendor, live: Live, error: SendError | None, outcome: str, alone, with_another, listed: bool) -> None:
    vendor.add("alpha", priority=9)
    vendor.says("alpha", error)
    first = live(providers=["alpha"] if listed else [])
    dispatch("transactional", until=0)
    assert (message(first).status, message(first).attempts) == alone
    assert attempts(first) == [("alpha", outcome)]
    Message.objects.all().delete()
    vendor.add("beta")
    vendor.says("alpha", error)
    circuits.reset("alpha")
    second = live(providers=["alpha", "beta"] if listed else [])
    dispatch("transactional", until=0)
    dispatch("transactional", until=0)
    assert message(second).status == with_another[0]
    assert [provider for provider, _ in attempts(second)] == with_another[1]


@pytest.mark.parametrize(
    ("policy", "make", "providers", "end", "route"),
    [
        ("hold", "fake", 2, "unknown", ["alpha"]),
        ("resend", "fake", 1, "sent", ["alpha", "alpha"]),
        ("resend", "fake", 2, "sent", ["alpha", "beta"]),
        ("resend", "fake-deduplicating", 1, "sent", ["alpha", "alpha"]),
        ("resend", "fake-deduplicating", 2, "sent", ["alpha", "alpha"]),
        ("hold", "fake-deduplicating", 2, "unknown", ["alpha"]),
    ],
)
def test_the_policy_for_what_nobody_found_out(vendor, live: Live, policy: str, make: str, providers: int, end: str, route) -> None:
    vendor.add("alpha", make, priority=9)
    if providers == 2:
        vendor.add("beta")
    vendor.says("alpha", UNKNOWN)
    made = live(on_unknown=policy)
    dispatch("transactional", until=0)
    decide(["alpha"] if make == "fake-deduplicating" else [])
    dispatch("transactional", until=0)
    assert message(made).status == end
    assert [provider for provider, _ in attempts(made)] == route
    # Whoever recognises a reference must be told the same one; to others it names one attempt.
    again = made.tracking_id if make == "fake-deduplicating" else f"{made.tracking_id}.2"
    assert [sms.reference for _, sms in vendor.got] == [made.tracking_id, again][: len(route)]


def test_it_is_sent_again_once_and_then_stays_unknown(vendor, live: Live) -> None:
    vendor.add("alpha", "fake-deduplicating")
    vendor.always["alpha"] = UNKNOWN
    made = live()
    for _ in range(3):
        dispatch("transactional", until=0)
        decide(["alpha"])
    assert (message(made).status, vendor.calls["alpha"]) == ("unknown", 2)


def test_one_that_would_recognise_it_but_is_ill_is_not_waited_for(vendor, live: Live) -> None:
    vendor.add("alpha", "fake-deduplicating", priority=9)
    vendor.add("beta")
    vendor.says("alpha", UNKNOWN, BROKEN)
    made = live()
    dispatch("transactional", until=0)
    other = live(providers=["alpha"])
    dispatch("transactional", until=0)
    decide(["alpha"])
    dispatch("transactional", until=0)
    assert attempts(made) == [("alpha", "unknown"), ("beta", "accepted")]
    assert message(other).status == "queued"


def test_a_round_goes_to_everyone_once_and_the_next_comes_after_a_backoff(vendor, live: Live) -> None:
    for slug in ("alpha", "beta", "gamma"):
        vendor.add(slug)
        vendor.always[slug] = BUSY
    made = live()
    dispatch("transactional", until=0)
    dispatch("transactional", until=0)
    dispatch("transactional", until=0)
    assert vendor.calls == {"alpha": 1, "beta": 1, "gamma": 1}
    found = message(made)
    assert (found.status, found.round, found.tried) == ("queued", 1, [])
    assert found.next_attempt_at is not None
    vendor.always.clear()
    run(1)
    assert message(made).status == "sent"


def test_after_a_clear_no_the_reference_is_another_and_after_silence_the_one_that_got_none(vendor, live: Live) -> None:
    vendor.add("alpha", "fake-deduplicating")
    vendor.says("alpha", BUSY, UNKNOWN, BUSY, None)
    made = live()
    run(2)
    decide(["alpha"])
    run(2)
    first, second = made.tracking_id, f"{made.tracking_id}.2"
    assert [sms.reference for _, sms in vendor.got] == [first, second, second, second]
    assert list(Attempt.objects.order_by("number").values_list("reference", flat=True)) == [None, second, second, second]


def test_retry_after_is_honoured(vendor, live: Live) -> None:
    vendor.add("alpha")
    vendor.says("alpha", UnavailableError("slow down", retry_after=120, throttled=True))
    made = live()
    dispatch("transactional", until=0)
    found = message(made)
    assert found.next_attempt_at is not None
    assert 115 < (found.next_attempt_at - found.updated_at).total_seconds() <= 121
    dispatch("transactional", until=0)
    assert vendor.calls["alpha"] == 1


def test_an_outage_of_everybody_loses_nothing_that_is_still_valid(vendor, live: Live) -> None:
    for slug in ("alpha", "beta"):
        vendor.add(slug)
        vendor.always[slug] = NOT_SENT
    made = [live() for _ in range(60)]
    run(12)
    assert not Message.objects.exclude(status__in=("queued", "sending")).exists()
    vendor.always.clear()
    for slug in ("alpha", "beta"):
        probe_is_due(slug)
    run(2)
    assert Message.objects.filter(status="sent").count() == len(made)
    # Each got there once: what was tried in vain before had provably not been sent.
    got = [sms.reference for _, sms in vendor.got]
    accepted = Attempt.objects.filter(outcome="accepted")
    assert accepted.count() == accepted.values("message_id").distinct().count() == len(made)
    assert len(got) == Attempt.objects.count()


def test_an_outage_of_an_hour_loses_only_what_is_no_longer_valid(vendor, live: Live) -> None:
    now = time.time_ns() // 1_000_000
    hour = 3_600_000
    for slug in ("alpha", "beta"):
        vendor.add(slug)
        vendor.always[slug] = NOT_SENT
    # Accepted when the outage began, each with its validity; as many rounds behind them as an hour has.
    valid = [live(tracking_id=uuid7(now - hour), expires_at=now + hour) for _ in range(30)]
    over = [live(tracking_id=uuid7(now - hour), expires_at=now - 1000, charged_day="20261123") for _ in range(5)]
    Message.objects.update(round=14)
    run(6)
    upkeep.sweep()
    waiting = Message.objects.filter(id__in=[made.tracking_id for made in valid])
    assert {found.status for found in waiting} == {"queued"}
    assert {(found.status, found.error_code) for found in Message.objects.filter(id__in=[made.tracking_id for made in over])} == {
        ("expired", "validity.expired")
    }
    # Once somebody is well again, nobody waits for longer than the longest pause.
    latest = max(found.next_attempt_at for found in waiting if found.next_attempt_at is not None)
    assert (latest.timestamp() - time.time()) <= 301
    vendor.always.clear()
    for slug in ("alpha", "beta"):
        probe_is_due(slug)
    run(3)
    assert {found.status for found in waiting.all()} == {"sent"}
    accepted = Attempt.objects.filter(outcome="accepted")
    assert accepted.count() == accepted.values("message_id").distinct().count() == len(valid)


def probe_is_due(slug: str) -> None:
    state = cache.get(circuits.state_key(slug))
    if state is not None:
        opened, _, reason = state.decode().split("|")
        cache.set(circuits.state_key(slug), f"{opened}|{opened}|{reason}")
