"""A person is forgotten everywhere: every column of every table, and all of Redis, are searched for the number and the text."""

import logging
from datetime import timedelta
from urllib.parse import quote

import msgspec
import pytest
import redis
from django.db import connection
from django.utils import timezone

from sms_backend.accounts import webhooks
from sms_backend.accounts.subscriptions import subscriptions
from sms_backend.core.cache import cache
from sms_backend.core.environment import Environment
from sms_backend.core.operator import Error
from sms_backend.messages import erasure, projection, suppressions
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.models import (
    Attempt,
    InboundMessage,
    Message,
    Parked,
    ProjectionDue,
    RawCallback,
    Receipt,
    Suppression,
    SweeperRun,
    WebhookDelivery,
)
from sms_backend.messages.projection import project_due
from sms_backend.messages.pseudonyms import is_pseudonym, pseudonym
from sms_backend.messages.search import Search, page
from sms_backend.pipeline import sweepers, upkeep
from sms_backend.pipeline.persist import persist
from sms_contract import keyspace
from sms_contract.ids import uuid7

NUMBER, OTHER = "+447911123456", "+447911999999"
SECRET = "your appointment at the clinic"
NAMES = (NUMBER.removeprefix("+"), SECRET, quote(SECRET))


def everywhere() -> dict[str, str]:
    """Each row of each table, and each value of Redis, as text; bytes also as what they say."""
    found = {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT ctid::text, t::text FROM {table} t")
            found |= {f"{table} {place}": row for place, row in cursor.fetchall()}
    for name in cache.scan_iter():
        kind = cache.type(name)
        read = {b"string": cache.get, b"hash": cache.hgetall, b"zset": lambda n: cache.zrange(n, 0, -1)}[kind]
        found[f"redis {name!r}"] = repr(read(name))
    return found


def traces(*names: str) -> list[str]:
    wanted = [*names, *(name.encode().hex() for name in names)]
    return [place for place, text in everywhere().items() if any(name in text or name in place for name in wanted)]


@pytest.fixture
def person(client, stored, ready):
    """Everything that one person can leave behind: sent, failed, reported, written, parked, told to the client."""

    def make(number=NUMBER, moment=None, status="delivered"):
        moment = moment or timezone.now()
        ms = int(moment.timestamp() * 1000)
        issued = webhooks.add_endpoint(client, "https://127.0.0.1:1/hook")
        subscriptions.forget()
        message = stored(
            tracking_id=uuid7(ms),
            mode="live",
            to=number,
            text=SECRET,
            wire_text=SECRET,
            reference=f"for-{number}",
            metadata={"note": f"{number}: {SECRET}"},
            callback_url=f"https://example.com/hook?to={quote(number)}",
        )
        persist(
            lambda cursor: cursor.execute(
                "UPDATE messages SET status = %s, version = version + 1, updated_at = %s, provider = 'alpha', error_detail = %s "
                "WHERE id = %s RETURNING *, now() AS settled_at",
                (status, moment, f"to {number}", message.tracking_id),
            ).fetchall()
        )
        Attempt.objects.create(
            message_id=message.tracking_id,
            number=1,
            provider="alpha",
            outcome="accepted",
            decision={},
            error_detail=f"{number} was busy",
            started_at=moment,
        )
        form = f"To={quote(number)}&Body={quote(SECRET)}".encode()
        arrived = {
            "provider": "alpha",
            "method": "POST",
            "path": "/v1/callbacks/alpha",
            "headers": [["X-Phone", number]],
            "received_at": moment,
        }
        callbacks = [
            RawCallback.objects.create(id=uuid7(ms), query=f"to={number}", body=form, judged_at=moment, verdict=verdict, **arrived)
            for verdict in ("applied", "applied", "forged")
        ]
        Receipt.objects.create(
            id=uuid7(ms),
            callback_id=callbacks[0].id,
            message_id=message.tracking_id,
            attempt=1,
            provider="alpha",
            status="delivered",
            received_at=moment,
            applied_at=moment,
        )
        inbound = InboundMessage.objects.create(
            id=uuid7(ms),
            callback_id=callbacks[1].id,
            provider="alpha",
            provider_message_id="",
            sender=number,
            recipient="+447911000000",
            text=SECRET,
            segments=1,
            client=client,
            received_at=moment,
            handed_on_at=moment,
        )
        WebhookDelivery.objects.create(
            id=uuid7(ms),
            client=client,
            target=issued.endpoint.id,
            mode="live",
            message_id=inbound.id,
            version=1,
            type="message.received",
            body=f'{{"from":"{number}","text":"{SECRET}"}}'.encode(),
            state="pending",
            next_try_at=moment,
            created_at=moment,
        )
        Parked.objects.create(queue="sms.callbacks", reason="r", body=form, headers={"to": number}, message_id=str(ms), replayed_at=moment)
        with hot_cursor() as cursor:
            suppressions.add(cursor, [(client.id, number, "ACME")], source="inbound")
            cursor.execute("UPDATE projection_due SET due_at = now(), while_status = NULL")
        project_due()
        record = f'd|owner|0|1|20261123||abc|0|{{"to":"{number}"}}'
        cache.set(keyspace.reservation(client.id, message.tracking_id), record)
        return message.tracking_id

    return make


def test_the_search_of_these_tests_finds_what_is_there(person):
    person()
    tables = {place.split()[0] for place in traces(*NAMES)}
    assert {
        "attempts_default",
        "callbacks_default",
        "inbound_messages_default",
        "messages_default",
        "parked",
        "redis",
        "suppressions",
        "webhook_deliveries_default",
    } <= tables


def test_a_person_is_erased_everywhere_and_stays_suppressed(person, client, manage_json, caplog):
    kept = person(OTHER)
    tracking_id = person()
    with caplog.at_level(logging.INFO):
        counts = manage_json("privacy", "erase", NUMBER)
    assert traces(NUMBER.removeprefix("+")) == []
    # Nobody else has lost a word.
    assert Message.objects.get(id=kept).text == SECRET
    assert counts == {
        "messages": 1,
        "attempts": 1,
        "callbacks": 3,
        "webhook_deliveries": 2,
        "inbound_messages": 1,
        "parked": 1,
        "suppressions_kept": 1,
        "redis_records": 2,
    }
    assert NUMBER not in caplog.text
    assert SECRET not in caplog.text
    # What is left of it answers still: the status, the outcome, whom it was sent by.
    left = Message.objects.get(id=tracking_id)
    assert (left.recipient, left.text, left.status, left.provider) == ("erased", "", "delivered", "alpha")
    shown = msgspec.json.decode(cache.get(keyspace.status(client.id, tracking_id)).split(b"|", 2)[2])
    assert (shown["to"], shown["status"]) == ("erased", "delivered")
    assert not WebhookDelivery.objects.filter(state="pending", message_id=tracking_id).exists()
    # Nothing is sent to the number again.
    with hot_cursor() as cursor:
        assert suppressions.listed(cursor, [(client.id, "ACME", NUMBER), (client.id, "ACME", "+447911777777")]) == {0}
        assert suppressions.remove(cursor, client_id=client.id, recipient=NUMBER, sender="ACME") == 1
        assert suppressions.listed(cursor, [(client.id, "ACME", NUMBER)]) == set()
    # Once more finds nothing more.
    again = manage_json("privacy", "erase", NUMBER)
    assert {name for name, count in again.items() if count} == set()


def test_text_goes_with_the_number(person, manage_json):
    person()
    manage_json("privacy", "erase", NUMBER)
    assert traces(*NAMES) == []


@pytest.mark.parametrize("status", ["queued", "scheduled", "sending", "sent"])
def test_nothing_is_erased_while_a_message_is_on_its_way(person, manage, status):
    person(status=status)
    before = everywhere()
    with pytest.raises(Error, match="1 messages to it; cancel them, or wait") as refused:
        manage("privacy", "erase", NUMBER)
    assert NUMBER.removeprefix("+") not in str(refused.value)
    assert everywhere() == before


def test_what_is_parked_or_not_judged_yet_is_decided_first(person, manage):
    person()
    RawCallback.objects.update(judged_at=None)
    Parked.objects.update(replayed_at=None)
    with pytest.raises(Error, match="3 reports that are not judged yet; and 1 parked entries"):
        manage("privacy", "erase", NUMBER)


def test_of_one_client_alone(person, client, manage_json):
    person()
    other = type(client).objects.create(id="c0ffee000002", name="bank")
    Message.objects.update(client=other)
    assert manage_json("privacy", "erase", NUMBER, f"--client={client.name}")["messages"] == 0
    assert manage_json("privacy", "erase", NUMBER, "--client=bank")["messages"] == 1


def test_a_number_that_is_none_is_refused(manage):
    with pytest.raises(Error, match=r"give E\.164"):
        manage("privacy", "erase", "07911 123456")


def test_after_its_time_a_number_is_a_pseudonym_by_which_it_is_still_found(person, client, manage_json):
    then = timezone.now() - timedelta(days=10)
    tracking_id = person(moment=then)
    # The event of now is as old as it is.
    WebhookDelivery.objects.exclude(type="message.received").delete()
    WebhookDelivery.objects.update(state="failed")
    recent = person(OTHER)
    cutoff, now = timezone.now() - timedelta(days=7), timezone.now()
    Parked.objects.filter(message_id=str(int(then.timestamp() * 1000))).update(parked_at=then)
    assert erasure.age(cutoff, now) > 5
    # What clients and operators decide by themselves stays: the list of who wants nothing.
    assert {place.split()[0] for place in traces(NUMBER.removeprefix("+"))} <= {"suppressions", "redis"}
    aged = Message.objects.get(id=tracking_id)
    assert aged.recipient == pseudonym(NUMBER)
    assert is_pseudonym(aged.recipient)
    assert Message.objects.get(id=recent).recipient == OTHER
    assert Message.objects.get(id=recent).text == SECRET
    assert erasure.age(cutoff, now) == 0
    # Forgetting finds it too.
    assert manage_json("privacy", "erase", NUMBER)["messages"] == 1
    assert Message.objects.get(id=tracking_id).recipient == "erased"


def test_a_client_finds_a_number_whether_it_is_still_kept_or_not(client, stored):
    start = int((timezone.now() - timedelta(days=10)).timestamp() * 1000)
    ids = [stored(tracking_id=uuid7(start + n), to=NUMBER).tracking_id for n in range(7)]
    stored(to=OTHER)
    # Those in the middle have aged: they are among the others all the same.
    Message.objects.filter(id__in=ids[2:5]).update(recipient=pseudonym(NUMBER))
    found, after = [], None
    while True:
        one = page(Search(client_id=client.id, to=NUMBER), after=after, limit=2)
        found += [message.tracking_id for message in one.messages]
        after = one.last
        if after is None:
            break
    assert found == ids[::-1]


def test_what_is_still_open_is_left_and_taken_later(person):
    then = timezone.now() - timedelta(days=10)
    waiting = person(moment=then, status="scheduled")
    done = person(moment=then + timedelta(hours=1))
    cutoff, now = timezone.now() - timedelta(days=7), timezone.now()
    erasure.age(cutoff, now)
    assert Message.objects.get(id=waiting).text == SECRET
    assert Message.objects.get(id=done).text == ""
    assert str(SweeperRun.objects.get(name="personal_data:messages").reached) <= waiting
    Message.objects.filter(id=waiting).update(status="expired")
    erasure.age(cutoff, now)
    assert Message.objects.get(id=waiting).text == ""


def test_two_at_once_and_more_than_a_chunk(person, stored, monkeypatch):
    monkeypatch.setattr(erasure, "_CHUNK", 3)
    then = timezone.now() - timedelta(days=10)
    ids = [stored(tracking_id=uuid7(int(then.timestamp() * 1000) + n), to=NUMBER).tracking_id for n in range(10)]
    Message.objects.update(status="delivered")
    cutoff = timezone.now() - timedelta(days=7)
    assert erasure.age(cutoff, timezone.now()) == len(ids)
    assert set(Message.objects.values_list("recipient", flat=True)) == {pseudonym(NUMBER)}


def test_it_is_off_unless_it_is_asked_for(person, monkeypatch, rabbitmq_url):
    person(moment=timezone.now() - timedelta(days=30))
    sweepers.forget()
    upkeep.retire(now=timezone.now())
    assert Message.objects.get().text == SECRET
    # Every three hours is enough: the next quarter of an hour does nothing.
    monkeypatch.setattr(upkeep, "environment", upkeep.environment.model_copy(update={"smsgw_erase_after_days": 4}))
    upkeep.retire(now=timezone.now())
    assert Message.objects.get().text == SECRET
    SweeperRun.objects.update(succeeded_at=timezone.now() - timedelta(hours=4))
    upkeep.retire(now=timezone.now())
    assert Message.objects.get().text == ""


@pytest.mark.parametrize("days", [-1, 1, 3])
def test_a_time_in_which_it_is_still_needed_is_refused(days, monkeypatch):
    monkeypatch.setenv("SMSGW_ERASE_AFTER_DAYS", str(days))
    with pytest.raises(ValueError, match="give 4 days or more, or 0"):
        Environment()


def test_a_suppression_list_goes_out_and_comes_back_with_its_pseudonyms(person, client, manage, manage_json, tmp_path):
    person()
    manage("privacy", "erase", NUMBER)
    file = tmp_path / "list.csv"
    file.write_text(manage("suppression", "export", client.name))
    Suppression.objects.all().delete()
    assert manage_json("suppression", "import", client.name, str(file))["added"] == 1
    with hot_cursor() as cursor:
        assert suppressions.listed(cursor, [(client.id, "ACME", NUMBER)]) == {0}


def test_without_redis_nothing_is_erased_and_it_can_be_done_again(person, client, manage, manage_json, monkeypatch):
    person()
    before = everywhere()

    def gone(*_):
        raise redis.ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(cache, "delete", gone)
        with pytest.raises(Error, match="Redis does not answer"):
            manage("privacy", "erase", NUMBER)
    assert everywhere() == before
    assert manage_json("privacy", "erase", NUMBER)["messages"] == 1


def test_redis_is_told_later_if_it_goes_away_meanwhile(person, manage, monkeypatch):
    person()

    def gone(*_, **__):
        raise redis.ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(projection, "_project", gone)
        with pytest.raises(Error, match="saved in PostgreSQL, but Redis does not answer"):
            manage("privacy", "erase", NUMBER)
    assert {place.split()[0] for place in traces(NUMBER.removeprefix("+"))} <= {"redis"}
    ProjectionDue.objects.update(due_at=timezone.now())
    project_due()
    assert traces(NUMBER.removeprefix("+")) == []
