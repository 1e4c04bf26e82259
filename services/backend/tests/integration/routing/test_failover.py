"""`failover_on`: a report that a message was not delivered starts the next provider, under the same id; what is sent is the vendor's word."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

import pytest

from sms_backend.accounts import webhooks as accounts
from sms_backend.accounts.models import Client
from sms_backend.accounts.subscriptions import subscriptions
from sms_backend.messages import cancel, sweep
from sms_backend.messages.models import Attempt, Message, QuotaUsage, Suppression, WebhookDelivery
from sms_backend.messages.selectors import story_of
from sms_backend.messages.timeline import document
from sms_backend.pipeline import reports
from sms_backend.pipeline.dispatch import dispatch
from sms_backend.pipeline.persist import persist
from sms_contract import envelope
from sms_contract.status import Status
from sms_providers.errors import RefusedError, UnknownOutcomeError
from sms_providers.types import Receipt

Live = Callable[..., envelope.Submission]
UNKNOWN = UnknownOutcomeError("no answer")
ASKED = {"failover_on": ["undelivered"], "charged_day": "20261123"}


@pytest.fixture
def three(vendor):
    for priority, slug in enumerate(("gamma", "beta", "alpha")):
        vendor.add(slug, priority=priority)
    return vendor


def message(made: envelope.Submission) -> Message:
    return Message.objects.get(id=made.tracking_id)


def go() -> None:
    dispatch("transactional", until=0)


def report(made: envelope.Submission, number: int, status: Status, code: str | None = None, *, opted_out: bool = False) -> None:
    attempt = Attempt.objects.get(message_id=made.tracking_id, number=number)
    receipt = Receipt(status=status, message_id=attempt.provider_message_id, code=code, opted_out=opted_out)
    persist(partial(reports.apply_own, found=[(UUID(made.tracking_id), number, attempt.provider, receipt)]))


def lost(made: envelope.Submission, number: int) -> None:
    report(made, number, Status.UNDELIVERED, "recipient.unreachable")


def test_the_next_provider_gets_it_under_the_same_id_and_the_client_hears_of_the_end_alone(three, live: Live, client: Client) -> None:
    accounts.add_endpoint(client, "https://example.com/hook", types=())
    subscriptions.forget()
    made = live(**ASKED)
    go()
    for _ in range(2):
        lost(made, 1)
    found = message(made)
    assert (found.status, found.failovers, found.provider, found.error_code) == ("queued", 1, None, None)
    go()
    report(made, 2, Status.DELIVERED)
    assert (message(made).status, message(made).provider) == ("delivered", "beta")
    assert (three.calls, {sms.tracking_id for _, sms in three.got}) == ({"alpha": 1, "beta": 1}, {made.tracking_id})
    told = list(WebhookDelivery.objects.order_by("id").values_list("type", flat=True))
    assert told == ["message.sent", "message.sent", "message.delivered"]
    second = document(story_of(message(made)))["attempts"][1]["decision"]
    assert (second["failover"], second["skipped"]) == (1, {"alpha": "unsuitable"})


def test_nobody_asked_for_it(three, live: Live) -> None:
    made = live()
    go()
    lost(made, 1)
    go()
    assert (message(made).status, three.calls) == ("undelivered", {"alpha": 1})


def test_a_late_delivered_of_the_first_wins_and_stops_the_rest(three, live: Live) -> None:
    waiting, sent = live(**ASKED), live(**ASKED)
    go()
    for made in (waiting, sent):
        lost(made, 1)
    Message.objects.filter(id=waiting.tracking_id).update(next_attempt_at="2099-01-01T00:00:00Z")
    go()
    for made in (waiting, sent):
        report(made, 1, Status.DELIVERED)
        assert (message(made).status, message(made).provider) == ("delivered", "alpha")
    lost(sent, 2)
    Message.objects.update(next_attempt_at=None)
    go()
    assert message(sent).status == "delivered"
    assert three.calls == {"alpha": 2, "beta": 1}


def test_it_is_bounded_and_what_was_taken_is_paid(vendor, live: Live) -> None:
    for number in range(6):
        vendor.add(f"p{number}", priority=9 - number)
    made = live(**ASKED)
    for number in range(1, 6):
        go()
        if message(made).attempts == number:
            lost(made, number)
    assert vendor.calls == {"p0": 1, "p1": 1, "p2": 1, "p3": 1}
    found = message(made)
    assert (found.status, found.error_code, found.refunded_at) == ("undelivered", "recipient.unreachable", None)
    assert QuotaUsage.objects.get().used == 1


def test_a_list_is_followed_to_its_end_and_no_further(three, live: Live) -> None:
    made = live(providers=["gamma", "alpha"], **ASKED)
    for number in (1, 2):
        go()
        lost(made, number)
    go()
    assert [account for account, _ in three.got] == ["gamma", "alpha"]
    assert message(made).status == "undelivered"


def test_too_late_it_ends_as_what_it_was(three, live: Live) -> None:
    late, waiting = live(**ASKED), live(**ASKED)
    go()
    Message.objects.filter(id=late.tracking_id).update(expires_at="2020-01-01T00:00:00Z")
    lost(late, 1)
    assert message(late).status == "undelivered"
    lost(waiting, 1)
    Message.objects.filter(id=waiting.tracking_id).update(expires_at="2020-01-01T00:00:00Z")
    persist(partial(sweep.expired, limit=10))
    found = message(waiting)
    assert (found.status, found.error_code, found.refunded_at) == ("undelivered", "recipient.unreachable", None)
    assert three.calls == {"alpha": 2}


def test_taken_back_it_goes_to_nobody_else(three, live: Live) -> None:
    waiting, sent = live(**ASKED), live(**ASKED)
    go()
    lost(waiting, 1)
    for made in (waiting, sent):
        wish = envelope.Cancel(client=made.client, requested_at=made.reserved_at, tracking_id=made.tracking_id)
        persist(partial(cancel.cancel, cancels=[wish]))
    assert (message(waiting).status, message(waiting).refunded_at) == ("undelivered", None)
    assert message(sent).status == "sent"
    lost(sent, 1)
    go()
    assert (message(sent).status, three.calls) == ("undelivered", {"alpha": 2})


def test_who_wants_nothing_gets_it_by_no_other_way(three, live: Live) -> None:
    made = live(sender="ACME", **ASKED)
    go()
    report(made, 1, Status.UNDELIVERED, "recipient.opted_out", opted_out=True)
    go()
    assert (message(made).status, three.calls, Suppression.objects.count()) == ("undelivered", {"alpha": 1}, 1)


def test_while_an_earlier_attempt_may_have_arrived_nobody_else_gets_it(three, live: Live) -> None:
    three.says("alpha", UNKNOWN)
    made = live(**ASKED)
    go()
    Message.objects.update(unknown_until="2020-01-01T00:00:00Z")
    persist(partial(sweep.decided_unknowns, limit=10))
    go()
    lost(made, 2)
    go()
    assert (message(made).status, three.calls) == ("sent", {"alpha": 1, "beta": 1})
    lost(made, 1)
    go()
    assert (message(made).status, three.calls["gamma"]) == ("sent", 1)
    report(made, 3, Status.DELIVERED)
    assert message(made).status == "delivered"


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [(RefusedError("bad"), "undelivered", "recipient.unreachable"), (UNKNOWN, "unknown", "provider.unknown_outcome")],
)
def test_what_the_next_one_says_does_not_undo_that_it_was_taken(three, live: Live, answer, status: str, code: str) -> None:
    made = live(on_unknown="hold", **ASKED)
    go()
    lost(made, 1)
    three.says("beta", answer)
    go()
    Message.objects.filter(status="sending").update(unknown_until="2020-01-01T00:00:00Z")
    persist(partial(sweep.decided_unknowns, limit=10))
    found = message(made)
    assert (found.status, found.error_code, found.refunded_at) == (status, code, None)


def test_who_opts_out_meanwhile_gets_nothing_more(three, live: Live, client: Client) -> None:
    made = live(sender="ACME", **ASKED)
    go()
    lost(made, 1)
    Suppression.objects.create(client=client, recipient=made.to, sender="ACME", source="inbound", created_at="2026-01-01T00:00:00Z")
    go()
    assert (message(made).status, message(made).error_code, three.calls) == ("undelivered", "recipient.opted_out", {"alpha": 1})
