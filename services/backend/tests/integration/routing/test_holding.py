"""What operators hold back, and the way a message would go."""

from collections.abc import Callable

from sms_backend.accounts.models import Client
from sms_backend.messages.models import Attempt, Message
from sms_backend.pipeline.dispatch import dispatch
from sms_backend.routing import avoided, circuits, selectors, services
from sms_backend.routing.models import Pause, Provider
from sms_contract.envelope import Submission
from sms_providers.errors import MisconfiguredError

Live = Callable[..., Submission]


def again() -> None:
    """As if two seconds had passed."""
    Message.objects.filter(status="queued").update(next_attempt_at="2020-01-01T00:00:00Z")
    selectors.forget()
    for lane in ("otp", "transactional", "promotional"):
        dispatch(lane, until=0)


def sent(*made: Submission) -> list[bool]:
    return [Message.objects.get(id=each.tracking_id).status == "sent" for each in made]


def test_everything_can_be_held_and_nothing_is_lost(vendor, live: Live, manage_json) -> None:
    vendor.add("alpha")
    assert manage_json("pause")["held"][0]["client"] is None
    made = [live(), live(traffic_type="otp")]
    again()
    assert sent(*made) == [False, False]
    assert not Attempt.objects.exists()
    assert manage_json("resume") == {"resumed": 1, "held": []}
    again()
    assert sent(*made) == [True, True]


def test_a_client_a_lane_or_both_can_be_held(vendor, live: Live, manage_json) -> None:
    vendor.add("alpha")
    Client.objects.create(id="c0ffee000002", name="bank")

    def one_each() -> list[bool]:
        made = [live(), live(traffic_type="otp"), live(client="c0ffee000002"), live(client="c0ffee000002", traffic_type="otp")]
        again()
        return sent(*made)

    manage_json("pause", "--client", "shop")
    assert one_each() == [False, False, True, True]
    manage_json("pause", "--lane", "otp")
    assert one_each() == [False, False, True, False]
    manage_json("resume", "--client", "shop")
    assert one_each() == [True, False, True, False]
    manage_json("resume")
    manage_json("pause", "--client", "bank", "--lane", "otp")
    manage_json("pause", "--client", "bank", "--lane", "otp")
    assert Pause.objects.count() == 1
    assert one_each() == [True, True, True, False]
    manage_json("resume", "--lane", "otp")
    again()
    assert not Message.objects.exclude(status="sent").exists()


def test_a_paused_provider_is_passed_over_and_what_only_it_may_take_waits(vendor, live: Live, manage_json) -> None:
    vendor.add("alpha", priority=9)
    vendor.add("beta")
    manage_json("pause", "--provider", "alpha", "--lane", "transactional")
    made = [live(), live(providers=["alpha"]), live(traffic_type="otp")]
    again()
    assert sent(*made) == [True, False, True]
    decisions = {str(a.message_id): (a.provider, a.decision["skipped"]) for a in Attempt.objects.all()}
    assert decisions[made[0].tracking_id] == ("beta", {"alpha": "paused"})
    assert decisions[made[2].tracking_id] == ("alpha", {})
    manage_json("resume", "--provider", "alpha")
    again()
    assert sent(*made) == [True, True, True]
    assert Message.objects.get(id=made[1].tracking_id).attempts == 1


def test_a_disabled_provider_and_a_suspended_client_hold_messages(vendor, live: Live, client: Client) -> None:
    alpha = vendor.add("alpha")
    services.enable_provider(alpha, active=False)
    made = live(providers=["alpha"])
    again()
    assert sent(made) == [False]
    services.enable_provider(alpha, active=True)
    Client.objects.update(suspended=True)
    again()
    assert sent(made) == [False]
    Client.objects.update(suspended=False)
    again()
    assert sent(made) == [True]


def test_what_a_client_may_not_send_to_is_said(vendor, manage_json) -> None:
    vendor.add("alpha")
    assert explained(manage_json)["refused"] == []
    Client.objects.update(denied=["+4479"])
    assert explained(manage_json)["refused"] == ["recipient.country_blocked"]


def explained(manage_json, *arguments: str) -> dict:
    return manage_json("route", "explain", "--client", "shop", "--to", "+447911123456", *arguments)


def test_a_route_is_explained_without_sending(vendor, live: Live, manage_json, test_provider: Provider) -> None:
    vendor.add("alpha", priority=9, countries=["US"])
    vendor.add("beta", priority=5)
    vendor.add("gamma", priority=3, weight=3)
    vendor.add("delta", priority=3, weight=1)
    vendor.add("omega", active=False)
    vendor.add("kappa", priority=3, denied=["+4479"])
    one_error = circuits.Tally()
    one_error.add(MisconfiguredError("401"), probe=False)
    circuits.record({"beta": one_error})
    found = explained(manage_json)
    assert [(step["provider"], step["because"], step["share"]) for step in found["tried"]] == [
        ("gamma", "weight", 0.75),
        ("delta", "priority", None),
    ]
    assert found["skipped"] == {"alpha": "country", "beta": "circuit_open", "kappa": "country"}
    circuits.reset("beta")
    assert [step["provider"] for step in explained(manage_json)["tried"]] == ["beta", "gamma", "delta"]
    avoided.remember([("beta", "c0ffee000001", "ACME")])
    assert [step["provider"] for step in explained(manage_json, "--from", "ACME")["tried"]] == ["gamma", "delta", "beta"]
    listed = explained(manage_json, "--providers", "delta,omega,test,gone")
    assert [step["provider"] for step in listed["tried"]] == ["delta"]
    assert listed["skipped"] == {"omega": "disabled", "test": "test_only", "gone": "unknown"}
    assert [step["provider"] for step in explained(manage_json, "--mode", "test")["tried"]] == ["test"]
    assert not Attempt.objects.exists()
    assert vendor.got == []


def test_a_route_says_what_holds_it_and_what_the_gateway_would_refuse(vendor, live: Live, manage_json, client: Client) -> None:
    vendor.add("alpha")
    manage_json("pause", "--lane", "otp")
    manage_json("pause", "--provider", "alpha")
    Client.objects.update(countries=["US"], senders=["SHOP"])
    found = explained(manage_json, "--traffic-type", "otp", "--from", "ACME")
    assert found["held"] == ["otp"]
    assert found["refused"] == ["recipient.country_blocked", "sender.invalid"]
    assert (found["tried"], found["skipped"], found["waits"]) == ([], {"alpha": "paused"}, "none_fits")
