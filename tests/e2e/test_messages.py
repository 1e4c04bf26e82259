"""The main job, seen by a client."""

from collections.abc import Callable

import pytest
from system import Provider, Sender, System, until

QUICK = {"statuses": [{"status": "sent", "delay": 0.05}, {"status": "delivered", "delay": 0.1}]}
MakeSender = Callable[..., Sender]
MakeProvider = Callable[..., Provider]


def test_a_message_is_delivered(sender: MakeSender, provider: MakeProvider, ready: System) -> None:
    shop, alpha = sender(), provider(reports=QUICK)
    answer = shop.send(providers=[alpha.slug], reference="order-17", metadata={"order": "17"})
    assert answer.status_code == 202
    accepted = answer.json()
    assert answer.headers["location"] == f"/v1/messages/{accepted['tracking_id']}"
    assert (accepted["status"], accepted["version"], accepted["from"], accepted["segments"]["count"]) == ("accepted", 0, "E2E", 1)
    assert shop.get(accepted["tracking_id"]).status_code == 200, "right after the 202 it must already answer"
    ended = shop.final(accepted["tracking_id"])
    assert (ended["status"], ended["provider"]["name"], ended["reference"], ended["attempts"]) == ("delivered", alpha.slug, "order-17", 1)
    assert ended["delivered_at"] >= ended["sent_at"] >= ended["created_at"]
    (entry,) = ready.ledger(alpha)
    assert (entry["to"], entry["from"]) == ("+447700900123", "E2E")
    assert ended["provider"]["message_id"] == entry["sid"]


def test_smart_selection_goes_by_priority_and_fails_over_on_a_documented_refusal(
    sender: MakeSender, provider: MakeProvider, ready: System
) -> None:
    busy = {"action": "refuse", "http_status": 429, "code": 20429}
    shop, first, second = sender(), provider(priority=900, rules=[busy]), provider(priority=800, reports=QUICK)
    ended = shop.final(shop.send().json()["tracking_id"])
    assert (ended["status"], ended["provider"]["name"], ended["attempts"]) == ("delivered", second.slug, 2)
    assert (len(ready.ledger(first)), len(ready.ledger(second))) == (0, 1)
    shown = ready.manage("message", "show", ended["tracking_id"])
    assert first.slug in str(shown)
    assert "20429" in str(shown)


def test_a_replay_with_the_same_key_sends_once(sender: MakeSender, provider: MakeProvider, ready: System) -> None:
    shop, alpha = sender("--daily-quota=100", fresh=True), provider(reports=QUICK)
    first, again = (shop.send(key="order-17", text="Your table is booked", providers=[alpha.slug]) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.content == again.content
    assert (first.headers.get("idempotent-replayed"), again.headers.get("idempotent-replayed")) == (None, "true")
    shop.final(first.json()["tracking_id"])
    late = shop.send(key="order-17", text="Your table is booked", providers=[alpha.slug])
    assert late.json()["tracking_id"] == first.json()["tracking_id"]
    assert len(ready.ledger(alpha)) == 1
    assert shop.account()["quota"]["used"] == 1
    other = shop.send(key="order-17", text="Another text", providers=[alpha.slug])
    assert (other.status_code, other.json()["code"]) == (422, "idempotency.key_reused")


@pytest.mark.parametrize(
    ("to", "status"),
    [("+15005550006", "delivered"), ("+15005550009", "undelivered"), ("+15005550001", "failed"), ("+15005550008", "delivered")],
)
def test_test_mode_reaches_no_provider(sender: MakeSender, provider: MakeProvider, ready: System, to: str, status: str) -> None:
    alpha = provider(reports=QUICK)
    tester = sender("--daily-quota=1", mode="test")
    ended = tester.final(tester.send(to, providers=[alpha.slug]).json()["tracking_id"])
    assert (ended["status"], ended["mode"]) == (status, "test")
    assert ready.ledger(alpha) == []
    assert tester.account()["quota"]["used"] == 0


def test_a_refused_message_fails_and_gives_its_charge_back(sender: MakeSender, provider: MakeProvider) -> None:
    shop = sender("--daily-quota=100", fresh=True)
    alpha = provider(rules=[{"action": "refuse", "http_status": 400, "code": 21211}])
    ended = shop.final(shop.send(providers=[alpha.slug]).json()["tracking_id"])
    assert (ended["status"], ended["error"]["code"], ended["error"]["provider_code"]) == ("failed", "recipient.invalid_number", "21211")
    until(lambda: shop.account()["quota"]["used"] == 0, seconds=5, what="the charge back")


def test_reports_in_any_order_twice_and_forged_end_in_the_truth(sender: MakeSender, provider: MakeProvider) -> None:
    statuses = [{"status": s, "delay": d} for s, d in (("delivered", 0.0), ("sent", 0.1), ("delivered", 0.15), ("failed", 0.2))]
    shop, alpha = sender(), provider(reports={"statuses": statuses})
    ended = shop.final(shop.send(providers=[alpha.slug]).json()["tracking_id"])
    assert ended["status"] == "delivered"


def test_who_asks_for_it_has_an_undelivered_report_start_the_next_provider(
    sender: MakeSender, provider: MakeProvider, ready: System
) -> None:
    lost = {"statuses": [{"status": "sent", "delay": 0.05}, {"status": "undelivered", "delay": 0.1, "error_code": 30003}]}
    shop = sender("--daily-quota=100", fresh=True)
    alpha, beta = provider(reports=lost), provider(reports=QUICK)
    listed = [alpha.slug, beta.slug]
    ended = shop.final(shop.send(providers=listed, failover_on=["undelivered"]).json()["tracking_id"])
    assert (ended["status"], ended["provider"]["name"], ended["attempts"], ended["error"]) == ("delivered", beta.slug, 2, None)
    assert (len(ready.ledger(alpha)), len(ready.ledger(beta))) == (1, 1)
    assert {entry["tracking_id"] for entry in (*ready.ledger(alpha), *ready.ledger(beta))} == {ended["tracking_id"]}
    without = shop.final(shop.send(providers=listed).json()["tracking_id"])
    assert (without["status"], without["error"]["code"], without["attempts"]) == ("undelivered", "recipient.unreachable", 1)
    assert shop.account()["quota"]["used"] == 2, "charged once each, and not given back: a provider had taken it"


def test_a_provider_that_is_switched_off_holds_what_was_for_it_alone(sender: MakeSender, provider: MakeProvider, ready: System) -> None:
    shop, alpha, beta = sender(), provider(reports=QUICK), provider(reports=QUICK)
    ready.manage("provider", "disable", alpha.slug)
    until(lambda: shop.send(providers=[alpha.slug]).status_code == 409, seconds=6, what="provider.disabled")
    assert shop.send(providers=[alpha.slug, beta.slug]).status_code == 202
    assert shop.send(providers=["nobody"]).json()["code"] == "provider.unknown"


def test_a_revoked_key_is_refused_within_five_seconds(sender: MakeSender, ready: System) -> None:
    shop = sender(fresh=True)
    ready.manage("key", "revoke", shop.key.split("_")[2])
    until(lambda: shop.send().status_code == 401, seconds=5, what="auth.invalid_key")


def test_another_clients_message_is_not_there(sender: MakeSender, provider: MakeProvider) -> None:
    mine, other = sender(), sender(fresh=True)
    tracking_id = mine.send(providers=[provider(reports=QUICK).slug]).json()["tracking_id"]
    answer = other.get(tracking_id)
    assert (answer.status_code, answer.json()["code"]) == (404, "message.not_found")
