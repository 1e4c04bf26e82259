"""Redis loses everything, and is put right in the one order that is safe."""

from contextlib import contextmanager
from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest
from django.db import connections
from django.utils import timezone

from sms_backend.core import locks
from sms_backend.core.cache import cache
from sms_backend.core.readiness import readiness
from sms_backend.messages import drain
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.models import Message
from sms_backend.messages.projection import project_due
from sms_backend.messages.store import charge
from sms_backend.pipeline import counters, readmodel
from sms_backend.pipeline.readmodel import Phase
from sms_contract import keyspace

NOTHING_IN_FLIGHT = timedelta(0)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(readmodel, "PUBLISHES_END", NOTHING_IN_FLIGHT)


@pytest.fixture
def drained():
    """An intake that says, whenever it is asked, that all is stored."""
    instance = uuid4()

    def say():
        drain.beat(instance, held_for=None, empty=True)

    return say


@pytest.fixture
def live(stored):
    """A live message, charged to today."""

    def make(**fields):
        return stored(mode="live", charged_day=today(), **fields)

    return make


def today():
    return f"{timezone.now():%Y%m%d}"


def counter(client):
    return int(cache.get(keyspace.quota(client.id, today())) or 0)


def restored(drained):
    assert readmodel.ensure() in {Phase.DRAINING, Phase.SETTLING}
    drained()
    assert readmodel.ensure() is Phase.READY


def give_back(client, message, segments):
    """A refund is committed, and owed to Redis at once."""
    with hot_cursor() as cursor:
        cursor.execute("UPDATE messages SET refunded_at = now() WHERE id = %s", (message.tracking_id,))
        charge(cursor, [(client.id, timezone.now().date(), -segments)])
        cursor.execute("UPDATE projection_due SET due_at = now(), while_status = NULL")


def pend(client, tracking_id, segments, *, state="p"):
    """A reservation as the gateway writes it, charged to today."""
    now = int(timezone.now().timestamp() * 1000)
    cache.zadd(keyspace.pending(client.id), {tracking_id: now})
    cache.set(keyspace.reservation(client.id, tracking_id), f"{state}|owner|{now}|{segments}|{today()}||abc|0|{{}}")


def test_an_empty_redis_with_nothing_to_lose_is_ready_at_once():
    assert readmodel.ensure() is Phase.READY
    assert readiness().complete


def test_with_clients_nothing_opens_before_intake_has_stored_everything(client, drained):
    assert readmodel.ensure() in {Phase.DRAINING, Phase.SETTLING}
    assert readmodel.ensure() is Phase.DRAINING
    assert not cache.exists(keyspace.client(client.id))
    drained()
    assert readmodel.ensure() is Phase.READY
    assert cache.exists(keyspace.client(client.id))
    assert readiness().complete


def test_what_was_being_published_gets_time_to_end(client, drained, monkeypatch):
    monkeypatch.setattr(readmodel, "PUBLISHES_END", timedelta(hours=1))
    assert readmodel.ensure() is Phase.SETTLING
    drained()
    assert readmodel.ensure() is Phase.SETTLING


def test_a_restarted_redis_that_kept_its_data_is_closed_first(client, drained):
    restored(drained)
    cache.hset(keyspace.MARKER, mapping={"admit": "another", "statuses": "another"})
    assert readmodel.ensure() in {Phase.DRAINING, Phase.SETTLING}
    assert not cache.exists(keyspace.client(client.id))
    drained()
    assert readmodel.ensure() is Phase.READY


def test_keys_providers_clients_and_statuses_come_back_the_same(client, drained, ready, manage_json, live):
    manage_json("client", "set", client.name, "--rate=5")
    key_id = manage_json("key", "add", client.name)["key_id"]
    message = live()
    project_due()
    names = [
        keyspace.client(client.id),
        keyspace.api_key(key_id),
        keyspace.PROVIDERS,
        keyspace.status(client.id, message.tracking_id),
    ]
    readmodel.refresh()
    project_due()
    with hot_cursor() as cursor:
        cursor.execute("UPDATE projection_due SET due_at = now()")
    project_due()
    before = cache.mget(names)
    assert all(before)
    cache.flushdb()
    restored(drained)
    assert cache.mget(names) == before


def test_the_counters_come_back_from_what_was_charged(client, drained, live):
    for _ in range(3):
        live(segments=2)
    restored(drained)
    assert counter(client) == 6
    assert 0 < cache.ttl(keyspace.quota(client.id, today())) <= keyspace.QUOTA_TTL


def test_a_refund_that_the_counters_contain_is_not_given_twice(client, drained, live):
    live(segments=2)
    refunded = live(segments=3)
    give_back(client, refunded, 3)
    restored(drained)
    assert counter(client) == 2
    while project_due():
        pass
    assert counter(client) == 2


def test_a_refund_in_the_middle_of_it_is_neither_lost_nor_given_twice(client, drained, live, monkeypatch):
    live(segments=2)
    refunded = live(segments=3)
    writes = []
    usual = counters._write

    def give_back_first(*arguments):
        if not writes:
            give_back(client, refunded, 3)
            while project_due():
                pass
        writes.append(arguments)
        usual(*arguments)

    monkeypatch.setattr(counters, "_write", give_back_first)
    restored(drained)
    assert (counter(client), len(writes)) == (2, 2)


def test_what_is_reserved_and_not_stored_stays_charged_until_it_is_settled(client, drained, live):
    stored = live(segments=2)
    pend(client, stored.tracking_id, 2)
    pend(client, "0192f0c1-0000-7000-8000-000000000001", 5)
    pend(client, "0192f0c1-0000-7000-8000-000000000002", 7, state="d")
    restored(drained)
    assert counter(client) == 7


def test_a_counter_is_never_set_while_admission_is_open(client, drained, live):
    live(segments=2)
    restored(drained)
    cache.incrby(keyspace.quota(client.id, today()), 40)
    counters.restore(timezone.now())
    assert counter(client) == 42


def test_a_final_status_comes_back_with_an_end_and_an_open_one_without(client, drained, live):
    final, open_ = live(), live()
    with hot_cursor() as cursor:
        cursor.execute("UPDATE messages SET status = 'delivered', version = 4 WHERE id = %s", (final.tracking_id,))
    restored(drained)
    assert 0 < cache.ttl(keyspace.status(client.id, final.tracking_id)) <= keyspace.FINAL_TTL
    assert cache.ttl(keyspace.status(client.id, open_.tracking_id)) == -1
    version, is_final, body = cache.get(keyspace.status(client.id, final.tracking_id)).split(b"|", 2)
    assert (version, is_final, msgspec.json.decode(body)["status"]) == (b"4", b"1", "delivered")


def test_old_final_messages_are_left_to_the_history(client, drained, live):
    old = live()
    Message.objects.filter(id=old.tracking_id).update(status="delivered", updated_at=timezone.now() - timedelta(hours=73))
    restored(drained)
    assert not cache.exists(keyspace.status(client.id, old.tracking_id))


def test_only_one_rebuilds_at_a_time(client, drained):
    readmodel.ensure()
    drained()
    cache.hset(keyspace.MARKER, "admit", "another")
    with another_session("SELECT pg_advisory_lock(hashtext(%s))", locks.REBUILD):
        assert readmodel.ensure() is Phase.ELSEWHERE


def test_what_could_not_be_written_through_is_mended(client, drained, manage_json):
    restored(drained)
    key_id = manage_json("key", "add", client.name)["key_id"]
    cache.delete(keyspace.api_key(key_id), keyspace.client(client.id))
    assert readmodel.refresh() == 2
    assert cache.exists(keyspace.api_key(key_id), keyspace.client(client.id)) == 2
    assert readmodel.refresh() == 0


def test_keys_that_postgresql_never_heard_of_are_dropped(client, drained, manage):
    restored(drained)
    cache.set(keyspace.api_key("stranger"), b"{}")
    manage("projection", "rebuild")
    assert not cache.exists(keyspace.api_key("stranger"))


@contextmanager
def another_session(statement, *arguments):
    """A second connection, holding what it took until it leaves."""
    other = connections["default"].copy()
    with other.cursor() as cursor:
        cursor.execute(statement, arguments)
    yield
    other.close()
    other.close_pool()
