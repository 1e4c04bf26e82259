"""The counts of both servers add up: what was accepted has ended or is in flight, and PostgreSQL says the same."""

import time
from collections import Counter
from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families
from system import Provider, Sender, System, until

QUICK = {"statuses": [{"status": "delivered", "delay": 0.05}]}
MakeSender = Callable[..., Sender]
MakeProvider = Callable[..., Provider]
_SERVES = 6.0  #: seconds; one reading of PostgreSQL serves for five
_IN_FLIGHT = ("smsgw_waiting_messages", "smsgw_sending_messages", "smsgw_sent_messages")
_COUNTED = {"smsgw_messages_accepted_total", "smsgw_stored_total", "smsgw_messages_ended_total", *_IN_FLIGHT}


def counts(system: System) -> Counter[str]:
    """Both servers' metrics, each summed over its labels; what has ended also by status."""
    found: Counter[str] = Counter()
    for base in (system.gateway, system.console):
        text = system.http.get(f"{base}/metrics").raise_for_status().text
        for sample in (sample for family in text_string_to_metric_families(text) for sample in family.samples):
            if sample.name in _COUNTED:
                found[sample.name] += int(sample.value)
            if sample.name == "smsgw_messages_ended_total":
                found[f"ended {sample.labels['status']}"] += int(sample.value)
    return found


def in_flight(found: Counter[str]) -> int:
    return sum(found[name] for name in _IN_FLIGHT)


@pytest.fixture
def before(ready: System) -> Counter[str]:
    """Once nothing of earlier tests moves any more, for longer than a reading of PostgreSQL serves."""
    seen = [(time.monotonic(), counts(ready))]

    def unmoved() -> Counter[str] | None:
        now = counts(ready)
        if now != seen[-1][1]:
            seen.append((time.monotonic(), now))
        began, found = seen[-1]
        return found if time.monotonic() - began > _SERVES else None

    return until(unmoved, seconds=90, what="earlier messages at rest") or Counter()


def test_accepted_is_ended_and_in_flight(before: Counter[str], sender: MakeSender, provider: MakeProvider, ready: System) -> None:
    shop, trial = sender("--daily-quota=1000", fresh=True), sender(mode="test", fresh=True)
    alpha, silent = provider(reports=QUICK), provider(reports={"statuses": []})
    refusing = provider(rules=[{"action": "refuse", "http_status": 400, "code": 21211}])
    to = "+4479110000"
    told = [shop.send(f"{to}{number:02}", providers=[alpha.slug]).json()["tracking_id"] for number in range(5)]
    told.append(shop.send(f"{to}10", key="once", text="once", providers=[alpha.slug]).json()["tracking_id"])
    shop.send(f"{to}10", key="once", text="once", providers=[alpha.slug])
    shop.send(f"{to}11", providers=[alpha.slug], dry_run=True)
    refused = [shop.send(f"{to}2{number}", providers=[refusing.slug]).json()["tracking_id"] for number in range(2)]
    sent = shop.send(f"{to}30", providers=[silent.slug]).json()["tracking_id"]
    later = [shop.send(f"{to}4{number}", providers=[alpha.slug], send_at="2099-01-01T00:00:00Z") for number in range(2)]
    assert {answer.status_code for answer in later} == {422}, "that is too far ahead, and counts nowhere"
    trial.final(trial.send("+15005550006").json()["tracking_id"])
    assert {shop.final(each)["status"] for each in told} == {"delivered"}
    assert {shop.final(each)["status"] for each in refused} == {"failed"}
    until(lambda: shop.get(sent).json()["status"] == "sent", what="the unreported one sent")

    def adds_up() -> Counter[str] | None:
        now = counts(ready)
        moved = Counter({name: now[name] - before[name] for name in now})
        accepted = moved["smsgw_messages_accepted_total"]
        stored = moved["smsgw_stored_total"] == accepted
        return moved if stored and accepted == moved["smsgw_messages_ended_total"] + in_flight(now) - in_flight(before) else None

    moved = until(adds_up, seconds=30, what="accepted = ended + in flight") or Counter()
    assert moved["smsgw_messages_accepted_total"] == 10
    assert (moved["ended delivered"], moved["ended failed"], moved["smsgw_sent_messages"]) == (7, 2, 1)
    shown = [row["status"] for one in (shop, trial) for row in history(ready, one)]
    assert Counter(shown) == {"delivered": 7, "failed": 2, "sent": 1}


def history(system: System, one: Sender) -> list[dict[str, str]]:
    """What PostgreSQL has of a client."""
    answer = system.http.get(f"{system.console}/v1/history/messages", headers={"API-Key": one.key}).raise_for_status()
    return list(answer.json()["data"])
