"""Everything that can be left behind is found again, once, however many sweepers look for it at the same time; and their silence is told."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone
from prometheus_client import CollectorRegistry

from sms_backend.accounts import webhooks
from sms_backend.accounts.subscriptions import subscriptions
from sms_backend.console import tasks
from sms_backend.core import broker
from sms_backend.core.cache import cache
from sms_backend.messages import drain, sweeper_runs
from sms_backend.messages.gauges import Waiting
from sms_backend.messages.models import (
    Attempt,
    CancelRequest,
    InboundMessage,
    Message,
    ProjectionDue,
    QuotaUsage,
    Receipt,
    SweeperRun,
    WebhookDelivery,
)
from sms_backend.pipeline import sweepers, upkeep
from sms_contract import keyspace
from sms_contract.ids import uuid7

ROUNDS = 3


@pytest.fixture(autouse=True)
def _noted_anew(rabbitmq_url):
    broker.declare_topology()
    sweepers.forget()


@pytest.fixture
def endpoint(client):
    issued = webhooks.add_endpoint(client, "https://127.0.0.1:1/hook")
    subscriptions.forget()
    return issued


def everything():
    """What beat asks for, each kind once."""
    now = timezone.now()
    upkeep.tick()
    upkeep.read_model()
    upkeep.sweep()
    upkeep.inquire()
    upkeep.ask_balances()
    upkeep.housekeeping(now=now)
    upkeep.tally(now=now)
    upkeep.retire(now=now)
    tasks.tidy()


def by_many(work=everything):
    """Several upkeep workers at the same time, again and again."""

    def run(_):
        try:
            for _ in range(ROUNDS):
                work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(4)))


def today():
    return f"{timezone.now():%Y%m%d}"


@pytest.fixture
def left(stored, client):
    """A charged message, left as the fields say."""

    def leave(**fields):
        made = stored(mode="live", to="+447911123456", charged_day=today())
        Message.objects.filter(id=made.tracking_id).update(version=5, **fields)
        return made.tracking_id

    return leave


def attempt(tracking_id, outcome, **fields):
    Attempt.objects.create(
        message_id=tracking_id, number=1, provider="alpha", outcome=outcome, decision={}, started_at=timezone.now(), **fields
    )


def test_each_thing_left_behind_is_put_right_once(client, left, ready, endpoint):
    now, past = timezone.now(), timezone.now() - timedelta(seconds=5)
    sending = {"status": "sending", "provider": "alpha", "attempts": 1}
    lease = left(**sending, lease_until=past)
    attempt(lease, "started")
    unknown = left(**sending, unknown_until=past, on_unknown="hold")
    attempt(unknown, "unknown")
    late = left(expires_at=past)
    recalled = left(cancel_requested_at=past)
    reported = left(status="sent", provider="alpha", attempts=1, sent_at=past)
    attempt(reported, "accepted", provider_message_id="p-1")
    Receipt.objects.create(
        id=uuid7(int(now.timestamp() * 1000)), provider="alpha", provider_message_id="p-1", status="delivered", received_at=past
    )
    quiet = left(status="sent", provider="alpha", sent_at=now - timedelta(hours=73))
    by_many()
    found = {str(m.id): m for m in Message.objects.all()}
    assert {key: found[key].status for key in (lease, unknown, late, recalled, reported, quiet)} == {
        lease: "sending",
        unknown: "unknown",
        late: "expired",
        recalled: "canceled",
        reported: "delivered",
        quiet: "unknown",
    }
    # Each once: one step of the version, one event, one refund.
    assert {m.version for m in found.values()} == {6}
    assert Attempt.objects.get(message_id=lease).outcome == "unknown"
    assert Counter(WebhookDelivery.objects.values_list("message_id", flat=True)) == {found[key].id: 1 for key in found if key != lease}
    assert QuotaUsage.objects.get().used == 4
    assert Receipt.objects.get().applied_at is not None
    # And Redis shows it: at once, or by the tick that keeps the promises which somebody could not.
    ProjectionDue.objects.update(due_at=timezone.now())
    by_many(upkeep.tick)
    assert not ProjectionDue.objects.exists()
    for key, message in found.items():
        assert cache.get(keyspace.status(client.id, key)).startswith(f"{message.version}|".encode())


def test_a_promise_to_redis_is_kept(client, left, ready):
    waiting = left()
    ProjectionDue.objects.update(due_at=timezone.now(), while_status=None)
    by_many(upkeep.tick)
    assert cache.get(keyspace.status(client.id, waiting)).startswith(b"5|")
    assert not ProjectionDue.objects.exists()


def test_a_pending_reservation_is_given_back_once(client, ready):
    now = timezone.now()
    lost = uuid7(int(now.timestamp() * 1000))
    old = int((now - timedelta(seconds=keyspace.PENDING_GRACE + 60)).timestamp() * 1000)
    cache.set(keyspace.quota(client.id, today()), 10)
    cache.zadd(keyspace.pending(client.id), {lost: old})
    cache.set(keyspace.reservation(client.id, lost), f"p|owner|{old}|3|{today()}||abc|0|{{}}")
    drain.beat(lost, held_for=None, empty=True)
    by_many(lambda: upkeep.housekeeping(now=timezone.now()))
    assert int(cache.get(keyspace.quota(client.id, today()))) == 7
    assert not cache.exists(keyspace.reservation(client.id, lost))


def test_parts_of_a_message_from_a_person_that_stay_alone_are_handed_on_once(client, ready, endpoint):
    then = timezone.now() - timedelta(minutes=30)
    InboundMessage.objects.create(
        id=uuid7(int(then.timestamp() * 1000)),
        callback_id=uuid7(1),
        provider="alpha",
        provider_message_id="i-1",
        sender="+447911123456",
        recipient="+447911000000",
        text="half",
        segments=1,
        client=client,
        part=1,
        parts=2,
        part_reference="r",
        received_at=then,
    )
    by_many(lambda: upkeep.housekeeping(now=timezone.now()))
    assert InboundMessage.objects.get().handed_on_at is not None
    assert WebhookDelivery.objects.get().type == "message.received"


def test_a_wish_that_nothing_can_come_for_is_forgotten(client, ready):
    for days in (1, 35):
        moment = timezone.now() - timedelta(days=days)
        CancelRequest.objects.create(target=uuid7(days), batch=False, client=client, requested_at=moment, stored_at=moment)
    by_many(lambda: upkeep.housekeeping(now=timezone.now()))
    assert CancelRequest.objects.get().stored_at > timezone.now() - timedelta(days=2)


def test_every_sweeper_says_when_it_last_came_to_its_end(client, ready):
    before = timezone.now().timestamp()
    everything()
    registry = CollectorRegistry()
    registry.register(Waiting())
    found = {
        name: registry.get_sample_value("smsgw_sweeper_last_success_timestamp_seconds", {"sweeper": name}) for name in sweeper_runs.SWEEPERS
    }
    assert all(moment >= before - 1 for moment in found.values()), found
    assert registry.get_sample_value("smsgw_partition_weeks_ahead") == 4
    assert registry.get_sample_value("smsgw_partition_strays") == 0
    # Nor is there one that nobody knows of.
    assert set(SweeperRun.objects.exclude(succeeded_at=None).values_list("name", flat=True)) == set(sweeper_runs.SWEEPERS)


def test_one_that_fails_stops_no_other_and_falls_silent(client, ready, monkeypatch):
    def broken(*_args, **_keywords):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

    monkeypatch.setattr(upkeep.cancel, "stopped", broken)
    late = timezone.now()
    with pytest.raises(ExceptionGroup, match="did not come to their end"):
        upkeep.sweep()
    noted = SweeperRun.objects.in_bulk()
    assert "cancels" not in noted
    assert noted["orphans"].succeeded_at >= late
