"""Segments a second, for the whole cluster, with a share kept for `otp`."""

from collections.abc import Callable

import pytest

from sms_backend.accounts.models import Client
from sms_backend.core.cache import cache
from sms_backend.messages.models import Attempt, Message
from sms_backend.pipeline.dispatch import dispatch
from sms_backend.routing.throughput import BURST, KEPT_FOR_OTP, Demand, bucket_key, supply, take
from sms_contract.envelope import Submission

Live = Callable[..., Submission]


def demand(segments: list[int], rate: float = 100.0) -> dict[str, Demand]:
    return {"alpha": Demand(rate=rate, segments=segments)}


def test_what_is_granted_is_a_burst_and_then_the_rate() -> None:
    burst = int(100 * BURST * (1 - KEPT_FOR_OTP))
    first = take(demand([1] * 200), lane="transactional")["alpha"]
    assert burst <= first.granted <= burst + 2
    assert len(first.waits) == 200 - first.granted
    # Turns come one after the other, at the rate.
    assert first.waits[50] - first.waits[0] == pytest.approx(0.5, abs=0.001)
    second = take(demand([1] * 10), lane="transactional")["alpha"]
    assert second.granted <= 2
    assert second.waits[0] >= first.waits[-1] - 0.1


def test_a_share_is_kept_for_otp() -> None:
    take(demand([1] * 200), lane="promotional")
    assert take(demand([1] * 50), lane="transactional")["alpha"].granted <= 1
    assert take(demand([1] * 50), lane="otp")["alpha"].granted >= int(100 * BURST * KEPT_FOR_OTP)


def test_segments_count_not_messages_and_a_long_one_gets_through_a_narrow_provider() -> None:
    granted = take(demand([4] * 50), lane="transactional")["alpha"].granted
    assert granted <= 100 * BURST / 4 + 1
    slow = {"beta": Demand(rate=0.5, segments=[10, 10])}
    assert take(slow, lane="transactional")["beta"].granted == 1


def test_turns_past_the_horizon_share_its_end() -> None:
    found = supply(Demand(rate=1.0, segments=[1] * 100), granted=0, first=50.0, horizon=60.0)
    assert max(found.waits) <= 60.0
    assert min(found.waits) == 50.0


def test_messages_without_tokens_wait_for_them_and_no_attempt_is_counted(vendor, live: Live) -> None:
    vendor.add("alpha", throughput=10.0)
    for _ in range(30):
        live()
    woken: list[tuple[str, float]] = []
    assert dispatch("transactional", until=0, wake=lambda lane, seconds: woken.append((lane, seconds))) == 30
    sent = vendor.calls["alpha"]
    assert 6 <= sent <= 8
    waiting = Message.objects.filter(status="queued").order_by("next_attempt_at")
    assert [(m.attempts, m.round) for m in waiting] == [(0, 0)] * (30 - sent)
    turns = [m.next_attempt_at.timestamp() for m in waiting if m.next_attempt_at]
    assert turns[-1] - turns[0] == pytest.approx((len(turns) - 1) / 10, abs=0.2)
    assert woken[0][0] == "transactional"
    assert woken[0][1] <= 0.5
    cache.delete(bucket_key("alpha"))
    Message.objects.update(next_attempt_at="2020-01-01T00:00:00Z")
    dispatch("transactional", until=0)
    assert 2 * 6 <= vendor.calls["alpha"] <= 2 * 8


def test_who_has_tokens_takes_over_and_the_decision_says_why(vendor, live: Live) -> None:
    vendor.add("alpha", priority=9, throughput=10.0)
    vendor.add("beta")
    for _ in range(20):
        live()
    dispatch("transactional", until=0)
    assert sum(vendor.calls.values()) == 20
    assert 6 <= vendor.calls["alpha"] <= 8
    assert Attempt.objects.filter(provider="beta", decision__skipped={"alpha": "throughput"}).count() == vendor.calls["beta"]


def test_the_tokens_of_a_claim_go_round_among_clients(vendor, live: Live) -> None:
    Client.objects.create(id="c0ffee000002", name="bank")
    vendor.add("alpha", throughput=20.0)
    for _ in range(30):
        live()
        live(client="c0ffee000002")
    dispatch("transactional", until=0)
    sent = [Message.objects.filter(client_id=each, status="sent").count() for each in ("c0ffee000001", "c0ffee000002")]
    assert abs(sent[0] - sent[1]) <= 1
    assert sum(sent) >= 12


def test_otp_goes_out_while_others_wait(vendor, live: Live) -> None:
    vendor.add("alpha", throughput=20.0)
    for _ in range(40):
        live(traffic_type="promotional")
    urgent = [live(traffic_type="otp") for _ in range(3)]
    dispatch("promotional", until=0)
    Message.objects.filter(lane="promotional").update(next_attempt_at="2020-01-01T00:00:00Z")
    urgent += [live(traffic_type="otp") for _ in range(2)]
    dispatch("otp", until=0)
    assert Message.objects.filter(id__in=[m.tracking_id for m in urgent], status="sent").count() == 5
