"""Cancels: before their message, after it, during an attempt, of a batch, of somebody else's."""

import threading
import time
from collections.abc import Callable
from datetime import date

import msgspec
import psycopg
import pytest
from django.db import connection

from sms_backend.accounts.models import Client
from sms_backend.core.cache import cache
from sms_backend.core.environment import environment
from sms_backend.messages import cancel, claim
from sms_backend.messages.cancel_models import CancelRequest
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.models import Message, Parked, QuotaUsage, WebhookDelivery
from sms_backend.messages.projection import project_due
from sms_backend.messages.settle import Settlement, settle
from sms_backend.messages.store import store
from sms_backend.pipeline.intake import Delivery, take
from sms_backend.pipeline.persist import persist
from sms_contract import envelope, keyspace
from sms_contract.envelope import Cancel, Submission
from sms_contract.ids import uuid7
from sms_contract.status import Status

Make = Callable[..., Submission]
DAY = "20261123"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def submissions(*entries: Submission) -> Delivery:
    body = envelope.encode_envelope(envelope.SUBMISSION_V1, [envelope.encode_entry(s) for s in entries])
    return Delivery(queue="sms.submissions", body=body, message_id=uuid7(now_ms()))


def canceling(*entries: Cancel) -> Delivery:
    body = envelope.encode_envelope(envelope.CANCEL_V1, [envelope.encode_entry(c) for c in entries])
    return Delivery(queue="sms.control", body=body, message_id=uuid7(now_ms()))


def of(made: Submission, client: str | None = None) -> Cancel:
    return Cancel(client=client or made.client, requested_at=now_ms(), tracking_id=made.tracking_id)


def message(made: Submission) -> Message:
    return Message.objects.get(id=made.tracking_id)


def claimed(provider: str = "alpha") -> list[claim.Start]:
    with hot_cursor() as cursor:
        rows = claim.due(cursor, lane="transactional", limit=100, now_ms=now_ms())
        starts = [claim.Start(message=row, provider=provider, decision={}) for row in rows]
        claim.start(cursor, starts, lease=60)
    return starts


def settled(start: claim.Start, outcome: str, status: Status, **more: object) -> None:
    fields: dict[str, object] = {"message_id": start.message.id, "number": start.number, "outcome": outcome, "status": status}
    fields |= {"round": 0, "tried": (), "unsuitable": (), **more}
    persist(lambda cursor: settle(cursor, [Settlement(**fields)]))  # type: ignore[arg-type]


def show() -> None:
    while project_due():
        pass


def shown(client: str, tracking_id: str) -> dict[str, object]:
    value = cache.get(keyspace.status(client, tracking_id))
    assert value is not None
    found: dict[str, object] = msgspec.json.decode(value.split(b"|", 2)[2])
    return found


@pytest.mark.parametrize("later", [0, 600_000])
def test_a_waiting_message_is_canceled_at_once_and_its_charge_returns(submission: Make, later: int) -> None:
    made = submission(charged_day=DAY, segments=2, send_at=now_ms() + later if later else None)
    cache.set(keyspace.quota(made.client, DAY), 2)
    take([submissions(made)])
    assert take([canceling(of(made))]).canceled == 1
    assert (message(made).status, message(made).next_attempt_at) == ("canceled", None)
    assert message(made).refunded_at is not None
    assert QuotaUsage.objects.get().used == 0
    show()
    assert shown(made.client, made.tracking_id)["status"] == "canceled"
    assert cache.get(keyspace.quota(made.client, DAY)) == b"0"
    assert not claimed()


def test_a_cancel_that_overtakes_its_message_counts(submission: Make) -> None:
    made, other = submission(charged_day=DAY), submission(charged_day=DAY)
    cache.set(keyspace.quota(made.client, DAY), 2)
    assert take([canceling(of(made))]).canceled == 0
    taken = take([submissions(made, other)])
    assert (taken.stored, message(made).status, message(other).status) == (2, "canceled", "queued")
    assert message(made).cancel_requested_at is not None
    assert QuotaUsage.objects.get().used == 1
    show()
    assert cache.get(keyspace.quota(made.client, DAY)) == b"1"
    assert [str(start.message.id) for start in claimed()] == [other.tracking_id]


def test_a_cancel_in_the_same_transaction_counts(submission: Make) -> None:
    made = submission()
    take([canceling(of(made)), submissions(made)])
    assert message(made).status == "canceled"


def test_a_redelivered_cancel_and_message_change_nothing_more(submission: Make) -> None:
    made = submission(charged_day=DAY)
    for _ in range(2):
        take([submissions(made)])
        take([canceling(of(made), of(made))])
    assert (message(made).status, message(made).version) == ("canceled", 2)
    assert (QuotaUsage.objects.get().used, CancelRequest.objects.count()) == (0, 1)


def test_only_its_own_client_can_take_a_message_back(submission: Make) -> None:
    first, second = submission(), submission()
    take([canceling(of(first, client="somebodyelse"))])
    take([submissions(first, second)])
    assert take([canceling(of(second, client="somebodyelse"))]).canceled == 0
    assert set(Message.objects.values_list("status", flat=True)) == {"queued"}


@pytest.mark.parametrize("status", ["delivered", "failed", "expired", "unknown", "rejected"])
def test_what_is_final_stays(stored: Make, status: str) -> None:
    made = stored()
    Message.objects.update(status=status)
    assert take([canceling(of(made))]).canceled == 0
    assert (message(made).status, message(made).version) == (status, 1)


def test_an_open_attempt_is_the_last_one(stored: Make) -> None:
    made = stored(charged_day=DAY)
    (start,) = claimed()
    assert take([canceling(of(made))]).canceled == 1
    assert message(made).status == "sending"
    settled(start, "unavailable", Status.QUEUED, tried=("alpha",), next_after=0.0)
    assert not claimed()
    assert persist(lambda cursor: cancel.stopped(cursor, limit=10)) == 1
    assert (message(made).status, message(made).attempts) == ("canceled", 1)
    assert QuotaUsage.objects.get().used == 0


def test_an_open_attempt_that_is_accepted_stands(stored: Make) -> None:
    made = stored(charged_day=DAY)
    (start,) = claimed()
    take([canceling(of(made))])
    settled(start, "accepted", Status.SENT, provider="alpha", provider_message_id="SM1")
    assert message(made).status == "sent"
    assert message(made).cancel_requested_at is not None
    assert QuotaUsage.objects.get().used == 1


def test_what_may_have_arrived_ends_unknown(stored: Make) -> None:
    made = stored(charged_day=DAY)
    (start,) = claimed()
    settled(start, "unknown", Status.SENDING, provider="alpha", unknown_for=0.0)
    # As the policy has it once nobody found out: waiting again, while the first attempt is unknown for good.
    Message.objects.update(status="queued", resends=1, unknown_until=None, next_attempt_at=message(made).created_at)
    take([canceling(of(made))])
    assert (message(made).status, message(made).error_code) == ("unknown", "provider.unknown_outcome")
    assert QuotaUsage.objects.get().used == 1


def test_a_batch_is_canceled_as_a_whole_and_nothing_else(submission: Make) -> None:
    batch = uuid7(now_ms())
    inside = [submission(batch_id=batch, index=i, charged_day=DAY, segments=2) for i in range(3)]
    outside = submission(batch_id=uuid7(now_ms()))
    take([submissions(*inside, outside)])
    whole = Cancel(client=outside.client, requested_at=now_ms(), batch_id=batch)
    assert take([canceling(whole)]).canceled == 3
    assert {message(made).status for made in inside} == {"canceled"}
    assert message(outside).status == "queued"
    assert QuotaUsage.objects.get(day=date(2026, 11, 23)).used == 0
    # A tracking id's cancel with a batch's id is about a message that does not exist.
    assert take([canceling(Cancel(client=outside.client, requested_at=now_ms(), tracking_id=outside.batch_id))]).canceled == 0


def test_a_cancel_that_overtakes_its_batch_counts(submission: Make) -> None:
    batch = uuid7(now_ms())
    inside = [submission(batch_id=batch, index=i) for i in range(3)]
    take([canceling(Cancel(client=inside[0].client, requested_at=now_ms(), batch_id=batch))])
    take([submissions(*inside, submission())])
    assert sorted(Message.objects.values_list("status", flat=True)) == ["canceled"] * 3 + ["queued"]


@pytest.mark.parametrize("overtaking", [False, True])
def test_an_alias_stands_for_its_message(submission: Make, overtaking: bool) -> None:
    first, again = submission(idempotency="k" * 32), submission(idempotency="k" * 32)
    take([submissions(first)])
    for delivery in [canceling(of(again)), submissions(again)][:: 1 if overtaking else -1]:
        take([delivery])
    assert message(first).status == "canceled"
    show()
    assert shown(first.client, again.tracking_id)["status"] == "canceled"


@pytest.mark.parametrize("fields", [{}, {"tracking_id": "x"}, {"tracking_id": uuid7(1), "batch_id": uuid7(1)}])
def test_a_cancel_that_names_nothing_is_parked(fields: dict[str, str]) -> None:
    assert take([canceling(Cancel(client="c", requested_at=1, **fields))]).parked == 1
    assert Parked.objects.get().queue == "sms.control"


def test_a_cancel_whose_moment_cannot_be_is_parked_alone(submission: Make) -> None:
    made = submission()
    bad = Cancel(client=made.client, requested_at=2**62, tracking_id=made.tracking_id)
    assert take([submissions(made), canceling(bad)]).parked == 1
    raw = envelope.decode_envelope(bytes(Parked.objects.get().body))
    assert envelope.decode_cancel(raw.entries[0]) == bad


def test_a_request_waits_for_the_message_that_is_being_stored(client: Client, submission: Make) -> None:
    made = submission()
    taken: list[int] = []

    def cancel_it() -> None:
        try:
            taken.append(take([canceling(of(made))]).canceled)
        finally:
            connection.close()

    other = threading.Thread(target=cancel_it)
    with hot_cursor() as cursor:
        cancel.guard(cursor, storing=[made.client], canceling=[])
        assert cancel.asked_back(cursor, [made]) == {}
        other.start()
        with psycopg.connect(str(environment.database_url), autocommit=True) as watch:
            while watch.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").fetchone() != (1,):
                pass
        store(cursor, [made])
    other.join(timeout=10)
    assert taken == [1]
    assert message(made).status == "canceled"


def test_clients_are_told_once_of_each_message(submission: Make) -> None:
    waiting, overtaken, sending, sent = (submission(callback_url=f"https://example.com/{n}") for n in range(4))
    take([submissions(sending, sent)])
    starts = {str(start.message.id): start for start in claimed()}
    settled(starts[sent.tracking_id], "accepted", Status.SENT, provider="alpha", provider_message_id="SM1")
    WebhookDelivery.objects.all().delete()
    take([submissions(waiting)])
    for _ in range(2):
        take([canceling(*map(of, (waiting, overtaken, sending, sent)))])
        take([submissions(overtaken)])
    told = {str(d.message_id): d.type for d in WebhookDelivery.objects.all()}
    assert told == {made.tracking_id: "message.canceled" for made in (waiting, overtaken)}
    assert WebhookDelivery.objects.count() == 2


def test_requests_are_forgotten_when_nothing_can_come_any_more(submission: Make) -> None:
    old, new = submission(), submission()
    take([canceling(of(old), of(new))])
    with hot_cursor() as cursor:
        cursor.execute("UPDATE cancel_requests SET stored_at = now() - interval '35 days' WHERE target = %s::uuid", (old.tracking_id,))
        cancel.forget(cursor)
    assert str(CancelRequest.objects.get().target) == new.tracking_id
