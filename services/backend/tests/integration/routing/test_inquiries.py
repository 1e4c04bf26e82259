"""Providers that are asked: what they have, and what became of it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

from django.utils import timezone

from sms_backend.messages import sweep
from sms_backend.messages.inquiry_models import Inquiry
from sms_backend.messages.models import Attempt, Message
from sms_backend.pipeline import upkeep
from sms_backend.pipeline.dispatch import dispatch
from sms_backend.pipeline.persist import persist
from sms_contract.envelope import Submission
from sms_contract.status import Status
from sms_providers.errors import UnavailableError, UnknownOutcomeError
from sms_providers.types import Accepted, Receipt

UNKNOWN = UnknownOutcomeError("no answer")
Live = Callable[..., Submission]


def message(made: Submission) -> Message:
    return Message.objects.get(id=made.tracking_id)


def ask() -> None:
    Inquiry.objects.update(due_at="2020-01-01T00:00:00Z")
    upkeep.inquire()


def test_what_is_found_was_sent_and_goes_to_nobody_else(vendor, live: Live) -> None:
    vendor.add("alpha", "fake-findable", priority=9)
    vendor.add("beta")
    vendor.says("alpha", UNKNOWN)
    made = live()
    dispatch("transactional", until=0)
    assert (message(made).status, Inquiry.objects.get().kind) == ("sending", "look_up")
    vendor.has[made.tracking_id] = Accepted(message_id="found-1")
    ask()
    found = message(made)
    assert (found.status, found.provider, found.provider_message_id, found.unknown_until) == ("sent", "alpha", "found-1", None)
    assert (Attempt.objects.get().outcome, Inquiry.objects.exists()) == ("accepted", False)
    assert vendor.calls == {"alpha": 1}


def test_not_found_counts_only_the_second_time_a_minute_later(vendor, live: Live) -> None:
    vendor.add("alpha", "fake-findable", priority=9)
    vendor.add("beta")
    vendor.says("alpha", UNKNOWN)
    made = live(on_unknown="hold")
    dispatch("transactional", until=0)
    ask()
    assert (message(made).status, Attempt.objects.get().lookups_missed) == ("sending", 1)
    apart = Inquiry.objects.get().due_at - timezone.now()
    assert timedelta(seconds=55) < apart <= timedelta(seconds=60)
    upkeep.inquire()
    assert len(vendor.looked_up) == 1
    # The policy does not decide before the second one could.
    unknown_until = message(made).unknown_until
    assert unknown_until is not None
    assert unknown_until > Inquiry.objects.get().due_at
    ask()
    assert (message(made).status, Attempt.objects.get().outcome) == ("queued", "not_sent")
    dispatch("transactional", until=0)
    assert vendor.calls == {"alpha": 1, "beta": 1}
    assert (message(made).status, message(made).resends) == ("sent", 0)


def test_a_provider_that_cannot_say_is_asked_again_and_the_policy_still_decides(vendor, live: Live) -> None:
    vendor.add("alpha", "fake-findable")
    vendor.says("alpha", UNKNOWN)
    made = live(on_unknown="hold")
    vendor.has[made.tracking_id] = UnavailableError("busy")
    dispatch("transactional", until=0)
    ask()
    assert (Attempt.objects.get().lookups_missed, Inquiry.objects.count()) == (0, 1)
    Message.objects.update(unknown_until="2020-01-01T00:00:00Z")
    upkeep.sweep()
    ask()
    assert (message(made).status, Inquiry.objects.exists()) == ("unknown", False)


def test_a_send_whose_worker_fell_silent_is_looked_up_too(vendor, live: Live) -> None:
    vendor.add("alpha", "fake-findable")
    made = live()
    dispatch("transactional", until=0)
    Message.objects.update(status="sending", lease_until="2020-01-01T00:00:00Z", provider_message_id=None)
    Attempt.objects.update(outcome="started", provider_message_id=None)
    upkeep.sweep()
    assert (Attempt.objects.get().outcome, Inquiry.objects.get().kind) == ("unknown", "look_up")
    vendor.has[made.tracking_id] = Accepted(message_id="found-1")
    ask()
    assert message(made).status == "sent"


def test_a_report_that_comes_first_ends_the_asking(vendor, live: Live) -> None:
    vendor.add("alpha", "fake-findable")
    vendor.says("alpha", UNKNOWN)
    made = live()
    dispatch("transactional", until=0)
    Attempt.objects.update(outcome="accepted", report="delivered")
    Message.objects.update(status="delivered")
    ask()
    assert (vendor.looked_up, Inquiry.objects.exists(), message(made).status) == ([], False, "delivered")


def test_reports_are_fetched_at_growing_intervals_until_the_last(vendor, live: Live) -> None:
    vendor.add("alpha", "fake-polled")
    made = [live() for _ in range(3)]
    dispatch("transactional", until=0)
    assert Inquiry.objects.filter(kind="poll").count() == 3
    ask()
    (asked,) = vendor.polled
    assert len(asked) == 3
    ids = {str(a.message_id): str(a.provider_message_id) for a in Attempt.objects.all()}
    Inquiry.objects.update(since=timezone.now() - timedelta(hours=1))
    vendor.reports = {
        ids[made[0].tracking_id]: Receipt(status=Status.DELIVERED, message_id=ids[made[0].tracking_id]),
        ids[made[1].tracking_id]: Receipt(status=Status.SENT, message_id=ids[made[1].tracking_id]),
    }
    ask()
    ask()
    assert [message(each).status for each in made] == ["delivered", "sent", "sent"]
    waiting = Inquiry.objects.all()
    assert {str(i.message_id) for i in waiting} == {made[1].tracking_id, made[2].tracking_id}
    assert all(timedelta(minutes=29) < i.due_at - timezone.now() < timedelta(minutes=31) for i in waiting)
    Inquiry.objects.update(since=timezone.now() - timedelta(hours=73))
    ask()
    assert not Inquiry.objects.exists()


def test_two_sweepers_at_once_decide_once(vendor, live: Live) -> None:
    vendor.add("alpha")
    vendor.says("alpha", UNKNOWN)
    live()
    dispatch("transactional", until=0)
    Message.objects.update(unknown_until="2020-01-01T00:00:00Z")
    assert [persist(lambda cursor: sweep.decided_unknowns(cursor, limit=10)) for _ in range(2)] == [1, 0]


def test_a_message_that_is_out_of_sight_is_asked_about_when_it_is_back(
    vendor, live: Live, out_of_sight: Callable[[str], AbstractContextManager[None]]
) -> None:
    vendor.add("alpha", "fake-findable")
    vendor.says("alpha", UNKNOWN)
    made = live()
    dispatch("transactional", until=0)
    vendor.has[made.tracking_id] = Accepted(message_id="found-1")
    with out_of_sight(made.tracking_id):
        ask()
        assert Inquiry.objects.count() == 1
    ask()
    assert (message(made).status, message(made).provider_message_id) == ("sent", "found-1")
