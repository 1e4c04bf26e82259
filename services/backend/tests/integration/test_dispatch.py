"""Claims, attempts and settlements against PostgreSQL; the `test` provider end to end in one process."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from uuid import UUID

import msgspec
import pytest
from django.db import connections

from sms_backend.accounts.models import Client
from sms_backend.core.cache import cache
from sms_backend.messages import claim, sweep
from sms_backend.messages.advance import Report, advance
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.models import Attempt, Message, ProjectionDue, QuotaUsage
from sms_backend.messages.projection import project_due
from sms_backend.messages.settle import Settlement, settle
from sms_backend.pipeline.dispatch import dispatch
from sms_backend.pipeline.persist import persist
from sms_backend.routing.models import Provider
from sms_contract import keyspace
from sms_contract.envelope import Submission
from sms_contract.status import Status

Make = Callable[..., Submission]
LEASE = 60.0


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def start_all(provider: str = "alpha", limit: int = 100) -> list[claim.Start]:
    with hot_cursor() as cursor:
        rows = claim.due(cursor, lane="transactional", limit=limit, now_ms=now_ms())
        starts = [claim.Start(message=row, provider=provider, decision={"chosen": provider}) for row in rows]
        claim.start(cursor, starts, lease=LEASE)
    return starts


def settled(start: claim.Start, status: Status = Status.SENT, outcome: str = "accepted", **fields: object) -> Settlement:
    usual: dict[str, object] = {"provider": start.provider, "provider_message_id": "SM1"} if outcome == "accepted" else {}
    usual |= {"message_id": start.message.id, "number": start.number, "outcome": outcome, "status": status}
    usual |= {"round": 0, "tried": (), "unsuitable": ()}
    return Settlement(**(usual | fields))  # type: ignore[arg-type]


def message(made: Submission) -> Message:
    return Message.objects.get(id=made.tracking_id)


def dispatch_until(made: Submission, *statuses: str, seconds: float = 15) -> Message:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        dispatch("transactional", until=0)
        if message(made).status in statuses:
            return message(made)
    raise AssertionError(f"still {message(made).status}")


@pytest.mark.parametrize(
    ("to", "status", "error", "attempts"),
    [
        ("+15005550006", "delivered", None, 1),
        ("+447911123456", "delivered", None, 1),
        ("+15005550009", "undelivered", None, 1),
        ("+15005550001", "failed", "recipient.invalid_number", 1),
        ("+15005550008", "delivered", None, 3),
    ],
)
def test_test_mode_ends_as_its_numbers_say(
    stored: Make, client: Client, test_provider: Provider, to: str, status: str, error: str | None, attempts: int
) -> None:
    made = stored(to=to, metadata={"order": "17"})
    ended = dispatch_until(made, status)
    assert ended.attempts == attempts == Attempt.objects.filter(message_id=made.tracking_id).count()
    if error is not None:
        assert ended.error_code == error
    raw = cache.get(keyspace.status(made.client, made.tracking_id))
    assert raw is not None
    version, final, shown = raw.split(b"|", 2)
    assert (int(version), final) == (ended.version, b"1")
    view = msgspec.json.decode(shown)
    assert (view["status"], view["metadata"]) == (status, {"order": "17"})
    assert not ProjectionDue.objects.filter(while_status=None).exists()


def test_an_outcome_that_nobody_knows_waits_and_is_sent_once_more_then_stays_unknown(
    stored: Make, client: Client, test_provider: Provider
) -> None:
    made = stored(to="+15005550007")
    dispatch("transactional", until=0)
    assert message(made).status == "sending"
    assert message(made).unknown_until is not None
    for expected in ("queued", "unknown"):
        Message.objects.filter(id=made.tracking_id).update(unknown_until="2020-01-01T00:00:00Z")
        assert persist(lambda cursor: sweep.decided_unknowns(cursor, limit=10)) == 1
        assert message(made).status == expected
        dispatch("transactional", until=0)
    assert message(made).error_code == "provider.unknown_outcome"
    assert Attempt.objects.filter(message_id=made.tracking_id, outcome="unknown").count() == 2


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_worker_whose_clock_is_off_sends_what_is_still_valid(
    stored: Make, client: Client, test_provider: Provider, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """By its own clock a one-time password, valid for five minutes, would have ended before it came."""
    made = stored(expires_at=now_ms() + 300_000)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + hours * 3600)
    dispatch("transactional", until=0)
    monkeypatch.undo()
    assert message(made).attempts == 1
    assert Attempt.objects.get(message_id=made.tracking_id).outcome == "accepted"


def test_hold_never_sends_again(stored: Make, client: Client, test_provider: Provider) -> None:
    made = stored(to="+15005550007", on_unknown="hold")
    dispatch("transactional", until=0)
    Message.objects.update(unknown_until="2020-01-01T00:00:00Z")
    persist(lambda cursor: sweep.decided_unknowns(cursor, limit=10))
    assert message(made).status == "unknown"
    assert message(made).refunded_at is None


def test_two_claims_at_once_never_share_a_message(stored: Make, client: Client) -> None:
    for _ in range(40):
        stored()
    barrier, claimed = threading.Barrier(4), []

    def work() -> None:
        barrier.wait()
        claimed.extend(start.message.id for start in start_all(limit=10))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == len(set(claimed)) > 0
    assert Attempt.objects.count() == len(claimed)


def test_one_clients_backlog_leaves_room_for_another(stored: Make, client: Client) -> None:
    other = Client.objects.create(id="c0ffee000002", name="bank")
    for _ in range(30):
        stored()
    mine = stored(client=other.id)
    assert UUID(mine.tracking_id) in {start.message.id for start in start_all(limit=10)}


def test_every_client_gets_its_turn_where_a_claim_has_no_room_for_all(stored: Make) -> None:
    names = [f"c0ffee1{number:05d}" for number in range(30)]
    for name in names:
        Client.objects.create(id=name, name=name)
        for _ in range(12):
            stored(client=name)
    served = {start.message.client_id for _ in range(25) for start in start_all(limit=10)}
    assert len(served) > 15


def test_urgent_lanes_are_emptied_first(stored: Make, client: Client, test_provider: Provider) -> None:
    made = {lane: stored(traffic_type=lane) for lane in ("promotional", "transactional", "otp")}
    assert dispatch("promotional", until=time.monotonic() + 10) == 3
    began = {lane: Attempt.objects.get(message_id=each.tracking_id).started_at for lane, each in made.items()}
    assert began["otp"] < began["transactional"] < began["promotional"]


def test_a_suspended_clients_messages_are_held(stored: Make, client: Client) -> None:
    stored()
    Client.objects.update(suspended=True)
    assert start_all() == []
    Client.objects.update(suspended=False)
    assert len(start_all()) == 1


def test_what_is_not_due_or_too_late_is_not_claimed(stored: Make, client: Client) -> None:
    stored(send_at=now_ms() + 60_000)
    late = stored(expires_at=now_ms() - 1, charged_day="20261123", segments=3)
    cache.set(keyspace.quota(late.client, "20261123"), 3)
    assert start_all() == []
    assert persist(lambda cursor: sweep.expired(cursor, limit=10)) == 1
    assert (message(late).status, message(late).error_code) == ("expired", "validity.expired")
    assert QuotaUsage.objects.get().used == 0
    assert cache.get(keyspace.quota(late.client, "20261123")) == b"0"


def test_settling_twice_changes_nothing_more(stored: Make, client: Client) -> None:
    made = stored()
    (start,) = start_all()
    settlements = [settled(start)]
    assert persist(lambda cursor: settle(cursor, settlements)) == 1
    assert persist(lambda cursor: settle(cursor, settlements)) == 0
    assert (message(made).status, message(made).version) == ("sent", 3)


def test_a_report_and_the_answer_at_the_same_time_wait_for_one_another_in_one_order(stored: Make, client: Client) -> None:
    stored()
    (start,) = start_all()

    def answer() -> None:
        try:
            persist(lambda cursor: settle(cursor, [settled(start)]))
        finally:
            connections.close_all()

    other = threading.Thread(target=answer)
    with hot_cursor() as cursor:
        # As `advance` does: the message first.
        cursor.execute("SELECT 1 FROM messages WHERE id = %s FOR UPDATE", (start.message.id,))
        other.start()
        deadline = time.monotonic() + 10
        while not cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
            assert time.monotonic() < deadline, "the answer does not wait"
        cursor.execute("UPDATE attempts SET report = 'delivered' WHERE message_id = %s", (start.message.id,))
    other.join(timeout=10)
    assert (Attempt.objects.get().outcome, Attempt.objects.get().report) == ("accepted", "delivered")


def test_a_failed_message_gives_its_charge_back_once(stored: Make, client: Client) -> None:
    made = stored(charged_day="20261123", segments=2)
    cache.set(keyspace.quota(made.client, "20261123"), 2)
    (start,) = start_all()
    failed = settled(start, Status.FAILED, "refused", error_code="content.blocked", refund=True)
    for _ in range(2):
        persist(lambda cursor: settle(cursor, [failed]))
    assert QuotaUsage.objects.get().used == 0
    assert cache.get(keyspace.quota(made.client, "20261123")) == b"0"


def test_a_report_that_overtakes_the_answer_is_not_undone_by_it(stored: Make, client: Client) -> None:
    made = stored()
    (start,) = start_all()
    report = Report(message_id=start.message.id, number=1, provider="alpha", status=Status.DELIVERED, provider_message_id="SM9")
    persist(lambda cursor: advance(cursor, [report]).rows)
    persist(lambda cursor: settle(cursor, [settled(start)]))
    assert message(made).status == "delivered"
    assert message(made).provider_message_id == "SM9"
    assert Attempt.objects.get().outcome == "accepted"


def test_a_report_of_another_provider_moves_nothing(stored: Make, client: Client) -> None:
    made = stored()
    (start,) = start_all()
    forged = Report(message_id=start.message.id, number=1, provider="beta", status=Status.DELIVERED)
    assert persist(lambda cursor: advance(cursor, [forged]).rows) == 0
    assert message(made).status == "sending"


def test_a_worker_that_fell_silent_leaves_an_unknown_outcome_not_a_second_send(stored: Make, client: Client) -> None:
    made = stored()
    (start,) = start_all()
    Message.objects.update(lease_until="2020-01-01T00:00:00Z")
    assert persist(lambda cursor: sweep.silent_leases(cursor, limit=10, wait=60, wait_otp=15)) == 1
    assert (message(made).status, Attempt.objects.get().outcome) == ("sending", "unknown")
    assert start_all() == []
    # The answer comes after all: it was no loss, only a delay.
    assert persist(lambda cursor: settle(cursor, [settled(start)])) == 1
    assert (message(made).status, message(made).unknown_until) == ("sent", None)


@pytest.mark.parametrize(("outcome", "becomes"), [("accepted", "sent"), ("unavailable", "queued"), ("unknown", "sending")])
def test_an_answer_that_came_while_the_message_was_out_of_sight_counts_when_it_is_back(
    stored: Make, client: Client, out_of_sight: Callable[[str], AbstractContextManager[None]], outcome: str, becomes: str
) -> None:
    """As while an operator has its partition detached: the attempt knows, and what was accepted must not be sent again as unknown."""
    made = stored()
    (start,) = start_all()
    status = Status.SENT if outcome == "accepted" else Status.QUEUED
    with out_of_sight(made.tracking_id):
        assert persist(lambda cursor: settle(cursor, [settled(start, status, outcome)])) == 0
    Message.objects.update(lease_until="2020-01-01T00:00:00Z")
    assert persist(lambda cursor: sweep.silent_leases(cursor, limit=10, wait=60, wait_otp=15)) == 1
    back, attempt = message(made), Attempt.objects.get()
    assert (back.status, attempt.outcome, back.lease_until) == (becomes, outcome, None)
    assert (back.sent_at, back.provider_message_id) == ((attempt.finished_at, "SM1") if outcome == "accepted" else (None, None))
    assert (back.unknown_until is not None) is (outcome == "unknown")
    assert back.tried == (["alpha"] if outcome == "unavailable" else [])
    assert len(start_all("beta")) == (1 if outcome == "unavailable" else 0)


def test_an_attempt_that_takes_its_time_is_shown_as_sending(stored: Make, client: Client) -> None:
    made = stored()
    start_all()
    ProjectionDue.objects.update(due_at="2020-01-01T00:00:00Z")
    while project_due():
        pass
    shown = cache.get(keyspace.status(made.client, made.tracking_id))
    assert shown is not None
    view = msgspec.json.decode(shown.split(b"|", 2)[2])
    assert (view["status"], view["attempts"]) == ("sending", 1)


def test_redis_shows_the_newest_version_whatever_the_order(stored: Make, client: Client, test_provider: Provider) -> None:
    made = stored()
    dispatch("transactional", until=0)
    key = keyspace.status(made.client, made.tracking_id)
    newest = cache.get(key)
    stale = b"1|0|{}"
    cache.set(key, stale)
    ProjectionDue.objects.create(due_at="2020-01-01T00:00:00Z", message_ids=[made.tracking_id])
    while project_due():
        pass
    assert cache.get(key) == newest
    cache.set(key, b"99|1|later")
    ProjectionDue.objects.create(due_at="2020-01-01T00:00:00Z", message_ids=[made.tracking_id])
    while project_due():
        pass
    assert cache.get(key) == b"99|1|later"
