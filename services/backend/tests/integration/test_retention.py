"""Weeks are made ahead and dropped past retention, whatever runs beside it; nothing that is not final goes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from django.db import connection, connections
from django.utils import timezone

from sms_backend.core.environment import Environment, environment
from sms_backend.messages import leftovers, partitions
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.models import Alias, Attempt, IdempotencyKey, Inquiry, Message, Parked, QuotaUsage, RawCallback, WebhookDelivery
from sms_backend.messages.schema import TABLES, WEEK, partition_name, week_of
from sms_contract.ids import floor, uuid7
from sms_contract.status import FINAL, Status

NOW = timezone.now()
OLD = NOW - timedelta(days=100)
CUTOFF = NOW - timedelta(days=90)


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def at_once(function, *arguments):
    """The same twice at the same time, each with a connection of its own; what both return."""

    def run(_):
        try:
            return function(*arguments)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(run, range(2)))


def tables() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '_[0-9]{4}w[0-9]{2}$'")
        return {name for (name,) in cursor.fetchall()}


def count(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        return cursor.fetchone()[0]


@pytest.fixture
def old_weeks():
    """Partitions as they were made when OLD was now."""
    partitions.ensure(OLD)
    partitions.ensure(NOW)
    return {table: partition_name(table, week_of(OLD)) for table in TABLES}


@pytest.fixture
def old_message(stored, old_weeks):
    """A final message of then, with all that belongs to it."""

    def make(status="delivered", moment=OLD):
        message = stored(tracking_id=uuid7(ms(moment)))
        Message.objects.filter(id=message.tracking_id).update(status=status)
        Attempt.objects.create(
            message_id=message.tracking_id, number=1, provider="test", outcome="accepted", decision={}, started_at=moment
        )
        WebhookDelivery.objects.create(
            id=uuid7(ms(moment)),
            client_id=message.client,
            target="e",
            mode="test",
            message_id=message.tracking_id,
            version=1,
            type="message.sent",
            body=b"{}",
            state="delivered",
            created_at=moment,
        )
        RawCallback.objects.create(
            id=uuid7(ms(moment)),
            provider="test",
            method="POST",
            path="/",
            query="",
            headers={},
            body=b"",
            received_at=moment,
            judged_at=NOW,
        )
        return message.tracking_id

    return make


def test_every_status_that_is_not_final_keeps_its_week():
    with hot_cursor() as cursor:
        open_ones = {
            status
            for status in Status
            for condition in partitions.OPEN["messages"]
            if cursor.execute(f"SELECT 1 FROM (SELECT %s::text AS status) t WHERE {condition}", (status.value,)).fetchone()
        }
    # `accepted` is Redis's alone: what PostgreSQL has is stored.
    assert open_ones == set(Status) - FINAL - {Status.ACCEPTED}


def test_partitions_are_made_ahead_also_by_two_at_once():
    later = NOW + 30 * WEEK
    one, two = at_once(partitions.ensure, later)
    assert one == two
    assert set(one) <= tables()
    with hot_cursor() as cursor:
        assert partitions.weeks_ahead(cursor, later) == 4
        assert partitions.weeks_ahead(cursor, later + 2 * WEEK) == 2


def test_strays_are_moved_out_before_a_partition_is_made_over_them(client, stored):
    moment = NOW + 40 * WEEK
    strays = [stored(tracking_id=uuid7(ms(moment))).tracking_id for _ in range(3)]
    beyond = stored(tracking_id=uuid7(ms(moment + 20 * WEEK))).tracking_id
    assert count("messages_default") == 4
    with hot_cursor() as cursor:
        assert partitions.strays(cursor)
    at_once(partitions.ensure, moment)
    name = partition_name("messages", week_of(moment))
    assert count(name) == 3
    assert count("messages_default") == 1
    assert {str(pk) for pk in Message.objects.values_list("id", flat=True)} == {*strays, beyond}
    # What a partition that grew up in its place has: indexes too.
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = %s::regclass)", (name,))
        made = len(cursor.fetchall())
        cursor.execute("SELECT 1 FROM pg_index WHERE indrelid = %s::regclass", ("messages_default",))
        assert made == len(cursor.fetchall())


def test_a_week_past_retention_goes_with_all_that_belongs_to_it(old_message, old_weeks, client, stored):
    gone, kept = old_message(), stored().tracking_id
    first, second = at_once(partitions.retire, CUTOFF)
    assert not first.kept
    assert not set(first.dropped) & set(second.dropped)
    dropped = {*first.dropped, *second.dropped}
    assert set(old_weeks.values()) <= dropped
    assert not dropped & tables()
    assert Attempt.objects.count() == WebhookDelivery.objects.count() == RawCallback.objects.count() == 0
    assert [str(pk) for pk in Message.objects.values_list("id", flat=True)] == [kept]
    assert gone != kept
    assert partitions.retire(CUTOFF).dropped == []
    # A message of then that comes now (an envelope found in a corner) still finds a place.
    stored(tracking_id=uuid7(ms(OLD)))
    assert count("messages_default") == 1


def test_a_week_that_another_run_is_dropping_is_left_to_it(old_message, old_weeks, client, monkeypatch):
    old_message()
    seen = tables()
    partitions.retire(CUTOFF)
    monkeypatch.setattr(partitions, "_existing", lambda _cursor: seen)
    late = partitions.retire(CUTOFF)
    assert (late.dropped, late.kept) == ([], {})


def test_the_partition_of_messages_is_the_last_of_its_week(old_message, old_weeks):
    old_message()
    dropped = partitions.retire(CUTOFF).dropped
    of_the_week = [name for name in dropped if name in old_weeks.values()]
    assert of_the_week[-1] == old_weeks["messages"]


@pytest.mark.parametrize("status", sorted({*Status} - FINAL - {Status.ACCEPTED}))
def test_a_week_with_one_message_that_is_not_final_is_kept_whole(old_message, old_weeks, status):
    old_message()
    late = old_message(status)
    retired = partitions.retire(CUTOFF)
    assert retired.kept == {old_weeks["messages"]: "it holds rows that are not final"}
    assert not set(old_weeks.values()) & set(retired.dropped)
    assert Attempt.objects.filter(message_id=late).exists()
    Message.objects.update(status="expired")
    assert set(old_weeks.values()) <= set(partitions.retire(CUTOFF).dropped)


def test_a_webhook_or_callback_that_is_not_through_keeps_its_week(old_message, old_weeks):
    old_message()
    WebhookDelivery.objects.update(state="pending")
    RawCallback.objects.update(judged_at=None)
    assert set(partitions.retire(CUTOFF).kept) == {old_weeks["webhook_deliveries"], old_weeks["callbacks"]}
    assert Message.objects.count() == 1


def test_a_table_in_use_is_left_for_the_next_run(old_message, old_weeks, database_url, monkeypatch):
    monkeypatch.setattr(partitions, "_LOCK_SECONDS", 0.2)
    old_message()
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT count(*) FROM attempts")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            partitions.retire(CUTOFF)
        # Nothing waits behind it, and nothing is lost of it.
        assert Message.objects.count() == Attempt.objects.count() == 1
    partitions.retire(CUTOFF)
    assert Message.objects.count() == 0


def test_old_strays_go_row_by_row_unless_one_is_open(client, stored):
    very_old = NOW - timedelta(days=3000)
    ids = [stored(tracking_id=uuid7(ms(very_old))).tracking_id for _ in range(3)]
    Message.objects.filter(id__in=ids[1:]).update(status="delivered")
    assert partitions.retire(CUTOFF).strays == 0
    Message.objects.filter(id=ids[0]).update(status="expired")
    assert sum(one.strays for one in at_once(partitions.retire, CUTOFF)) == 3
    assert count("messages_default") == 0


def test_small_tables_forget_what_nobody_can_ask_for(client):
    def fill(moment):
        message_id = uuid7(ms(moment))
        IdempotencyKey.objects.create(
            client=client, digest=message_id[-12:], item=0, message_id=message_id, reserved_at=moment, fingerprint=""
        )
        Alias.objects.create(alias=uuid7(ms(moment)), message_id=message_id, client=client, created_at=moment)
        QuotaUsage.objects.create(client=client, day=moment.date(), used=1)
        Inquiry.objects.create(message_id=message_id, number=1, provider="p", kind="poll", due_at=moment, since=moment)
        for replayed_at in (None, moment):
            Parked.objects.create(queue="q", reason="", body=b"", message_id=f"{message_id}#{replayed_at is None}", replayed_at=replayed_at)

    fill(NOW)
    fill(CUTOFF - timedelta(days=8))
    for forget, moment in (
        (leftovers.forget_keys, NOW),
        (leftovers.forget_aliases, CUTOFF),
        (leftovers.forget_usage, CUTOFF),
        (leftovers.forget_replayed, CUTOFF),
        (leftovers.forget_inquiries, CUTOFF),
    ):
        assert sum(at_once(forget, moment)) == 1
        assert forget(moment) == 0
    for model in (IdempotencyKey, Alias, QuotaUsage, Inquiry):
        assert model.objects.count() == 1
    # What was parked and never put back stays: a person decides.
    assert Parked.objects.filter(replayed_at=None).count() == 2
    assert Parked.objects.count() == 3


def test_a_key_is_kept_for_as_long_as_its_repeat_may_be_stored(client):
    reserved_at = NOW - timedelta(hours=47)
    IdempotencyKey.objects.create(client=client, digest="d", item=0, message_id=UUID(int=1), reserved_at=reserved_at, fingerprint="")
    assert leftovers.forget_keys(NOW) == 0
    assert leftovers.forget_keys(NOW + timedelta(hours=2)) == 1


@pytest.mark.parametrize("days", [-1, 0, 39])
def test_a_retention_that_would_lose_messages_is_refused_in_words(days, monkeypatch):
    monkeypatch.setenv("SMSGW_RETENTION_DAYS", str(days))
    with pytest.raises(ValueError, match="keep 40 days or more"):
        Environment()
    assert environment.smsgw_retention_days >= 40


def test_weeks_are_bounded_by_mondays():
    week = week_of(datetime(2026, 12, 31, 23, 59, tzinfo=UTC))
    assert week == datetime(2026, 12, 28, tzinfo=UTC)
    assert partition_name("messages", week) == "messages_2026w53"
    assert floor(ms(week)) < floor(ms(week + WEEK))
