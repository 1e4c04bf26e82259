"""Circuits and what was refused lately, in a real Redis, through the real dispatch."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis
from prometheus_client import CollectorRegistry

from sms_backend.core.cache import cache
from sms_backend.messages.models import Attempt, Message
from sms_backend.pipeline.dispatch import dispatch
from sms_backend.routing import avoided, circuits, conditions, services
from sms_backend.routing.gauges import Providers
from sms_backend.routing.models import Provider
from sms_contract.envelope import Submission
from sms_providers.errors import MisconfiguredError, NotSentError, UnavailableError, UnknownOutcomeError, UnsuitableError

CLIENT = "c0ffee000001"
BROKEN, BUSY, UNKNOWN = MisconfiguredError("401"), UnavailableError("busy"), UnknownOutcomeError("no answer")
THROTTLED = UnavailableError("slow down", throttled=True)
Live = Callable[..., Submission]


def tally(calls: int, error: Any = None, errors: int = 0) -> dict[str, circuits.Tally]:
    made = circuits.Tally()
    for number in range(calls):
        made.add(error if number < errors else None, probe=False)
    return {"alpha": made}


def is_open() -> str | None:
    found = circuits.open_circuits(["alpha"])
    return found["alpha"].reason if found else None


def probe_due() -> None:
    opened, _, reason = (cache.get(circuits.state_key("alpha")) or b"").decode().split("|")
    cache.set(circuits.state_key("alpha"), f"{opened}|{opened}|{reason}")


def again() -> None:
    Message.objects.filter(status="queued").update(next_attempt_at="2020-01-01T00:00:00Z")
    dispatch("transactional", until=0)


@pytest.mark.parametrize(
    ("calls", "error", "errors", "reason"),
    [
        (49, NotSentError("x"), 9, None),
        (19, BUSY, 19, None),
        (20, BUSY, 10, "error_rate"),
        (21, BUSY, 10, None),
        (20, UNKNOWN, 10, "error_rate"),
        (1000, UNKNOWN, 50, "errors"),
        (1000, UNKNOWN, 49, None),
        (1000, THROTTLED, 1000, None),
        (1000, UnsuitableError("x"), 1000, None),
        (1, BROKEN, 1, "misconfigured"),
    ],
)
def test_when_a_circuit_opens(calls: int, error: Any, errors: int, reason: str | None) -> None:
    circuits.record(tally(calls, error, errors))
    assert is_open() == reason


def test_counts_add_up_over_calls_and_workers() -> None:
    for _ in range(9):
        circuits.record(tally(5, UNKNOWN, 5) | {"beta": circuits.Tally(calls=3)})
    assert is_open() == "error_rate"
    circuits.reset("alpha")
    circuits.record(tally(1, BUSY, 1))
    assert is_open() is None


def test_errors_of_more_than_a_minute_ago_do_not_count() -> None:
    second = int(cache.time()[0])  # type: ignore[index]
    cache.hset(
        circuits.counts_key("alpha"), mapping={f"c{second - 61}": 100, f"e{second - 61}": 100, f"e{second - 40}": 40, f"c{second}": 30}
    )
    circuits.record(tally(9, BUSY, 9))
    assert is_open() is None
    circuits.record(tally(1, BUSY, 1))
    assert is_open() == "errors"


def test_an_ill_provider_is_left_out_and_probed_by_one_message_until_it_is_well(vendor, live: Live) -> None:
    vendor.add("alpha", priority=9)
    vendor.add("beta")
    vendor.says("alpha", BROKEN, BUSY)
    live()
    dispatch("transactional", until=0)
    assert is_open() == "misconfigured"
    for _ in range(5):
        live()
    again()
    assert vendor.calls == {"alpha": 1, "beta": 6}
    skipped = Attempt.objects.filter(provider="beta").last()
    assert skipped is not None
    assert skipped.decision["skipped"] == {"alpha": "circuit_open"}
    for well in (False, True):
        probe_due()
        made = [live() for _ in range(5)]
        again()
        probes = Attempt.objects.filter(message_id__in=[m.tracking_id for m in made], decision__because="probe")
        assert [(probe.provider, probe.outcome) for probe in probes] == [("alpha", "accepted" if well else "unavailable")]
        assert (is_open() is None) == well
    live()
    again()
    assert vendor.calls["alpha"] == 4
    assert not Message.objects.exclude(status="sent").exists()


def test_while_everyone_is_ill_messages_wait_and_no_round_is_used_up(vendor, live: Live) -> None:
    vendor.add("alpha")
    vendor.says("alpha", BROKEN, BROKEN)
    made = [live(), live(providers=["alpha"])]
    dispatch("transactional", until=0)
    for _ in range(4):
        again()
    for each in made:
        found = Message.objects.get(id=each.tracking_id)
        assert (found.status, found.attempts <= 1, found.round <= 1) == ("queued", True, True)
        assert found.next_attempt_at is not None
        assert 0 < (found.next_attempt_at - found.updated_at).total_seconds() <= 30
    probe_due()
    again()
    again()
    assert Message.objects.filter(status="sent").count() == 2


def test_only_one_worker_gets_the_probe() -> None:
    circuits.record(tally(1, BROKEN, 1))
    assert not circuits.claim_probe("alpha")
    probe_due()
    barrier, won = threading.Barrier(6), []

    def work() -> None:
        barrier.wait()
        won.append(circuits.claim_probe("alpha"))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 5 + [True]


def test_late_answers_from_before_it_opened_do_not_close_it() -> None:
    circuits.record(tally(1, BROKEN, 1))
    circuits.record(tally(100))
    assert is_open() == "misconfigured"


def test_enabling_a_provider_closes_its_circuit_and_forgets_its_counts(vendor, manage_json) -> None:
    provider = vendor.add("alpha")
    circuits.record(tally(19, BUSY, 19))
    circuits.record(tally(1, BROKEN, 1))
    shown = manage_json("provider", "show", "alpha")["circuit"]
    assert (shown["state"], shown["reason"]) == ("open", "misconfigured")
    assert manage_json("provider", "list")[0]["circuit"]["state"] == "open"
    services.enable_provider(provider, active=True)
    assert manage_json("provider", "show", "alpha")["circuit"]["state"] == "closed"
    circuits.record(tally(1, BUSY, 1))
    assert is_open() is None


def test_test_mode_never_falls_ill(test_provider, stored) -> None:
    for _ in range(60):
        stored(to="+15005550007")
    again()
    assert not cache.keys("sms:circuit:*")


def test_without_redis_circuits_are_closed_and_nothing_waits_for_it(vendor, live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    vendor.add("alpha", throughput=0.001)
    circuits.record(tally(1, BROKEN, 1))
    made = [live() for _ in range(3)]

    def away(*args: object, **kwargs: object) -> None:
        raise redis.ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr("redis.client.Pipeline.execute", away)
        patched.setattr("redis.commands.core.Script.__call__", away)
        dispatch("transactional", until=0)
    assert vendor.calls["alpha"] == len(made)


def test_who_refused_a_sender_comes_last_for_it_and_for_nothing_else(vendor, live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    vendor.add("alpha", priority=9)
    vendor.add("beta")
    vendor.says("alpha", UnsuitableError("no such sender", remembered=True))

    def first_choice(**fields: Any) -> str:
        made = live(**fields)
        again()
        again()
        return str(Attempt.objects.filter(message_id=made.tracking_id).order_by("number")[0].provider)

    assert first_choice(sender="ACME") == "alpha"
    assert first_choice(sender="ACME") == "beta"
    assert first_choice(sender="OTHER") == "alpha"
    assert first_choice() == "alpha"
    # A list is the client's own word, and alone it is better than nobody.
    assert first_choice(sender="ACME", providers=["alpha", "beta"]) == "alpha"
    assert first_choice(sender="ACME", providers=["alpha"]) == "alpha"
    assert is_open() is None
    assert 590 < cache.ttl(avoided.KEY) <= 600  # type: ignore[operator]
    # Whatever the clock of the worker that asks says.
    for clock in (0.0, 4e9):
        monkeypatch.setattr(time, "time", lambda clock=clock: clock)
        assert conditions.read(["alpha"]).avoided_by(CLIENT, "ACME") == {"alpha"}
    monkeypatch.undo()
    cache.zadd(avoided.KEY, dict.fromkeys(cache.zrange(avoided.KEY, 0, -1), 1))  # type: ignore[arg-type]
    assert first_choice(sender="ACME") == "alpha"


def test_nobody_is_woken_for_an_ill_provider_that_is_disabled(vendor) -> None:
    vendor.add("alpha")
    circuits.record(tally(1, BROKEN, 1))
    registry = CollectorRegistry()
    registry.register(Providers(database_answers=lambda: True))

    def gauge() -> float | None:
        return registry.get_sample_value("smsgw_provider_circuit_open", {"provider": "alpha"})

    assert gauge() == 1
    Provider.objects.update(active=False)
    assert (gauge(), is_open()) == (None, "misconfigured")
