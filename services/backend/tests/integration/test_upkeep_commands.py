"""Commands for the days when something is to be prepared, looked into or put back."""

import io
import json

import pytest
import redis
from django.contrib.auth import get_user_model
from django.core.management import call_command

from sms_backend.core import broker
from sms_backend.core.cache import cache
from sms_backend.core.errors import ConflictError
from sms_backend.core.operator import Error
from sms_backend.core.readiness import readiness
from sms_backend.messages.models import Message, Parked
from sms_backend.pipeline.dispatch import dispatch
from sms_backend.routing.models import Provider
from sms_contract import topology


def test_prepare_makes_everything_and_may_be_run_again(rabbitmq_url, manage_json):
    first = manage_json("prepare")
    assert first["read_model"] == "ready"
    assert set(topology.CELERY_QUEUES) < set(first["queues"])
    assert Provider.objects.get().adapter == "test"
    assert readiness().complete
    again = manage_json("prepare")
    assert again == first | {"test_provider_made": False}


def test_a_queue_that_is_otherwise_is_named(rabbitmq_url):
    broker.declare_topology()
    with broker.channel() as channel:
        channel.queue_delete(topology.CONTROL)
        channel.queue_declare(topology.CONTROL, durable=True, auto_delete=False)
    with pytest.raises(ConflictError, match=r"sms\.control"):
        broker.declare_topology()
    with broker.channel() as channel:
        channel.queue_delete(topology.CONTROL)
    broker.declare_topology()


def test_a_messages_timeline_tells_who_was_tried_and_why(client, test_provider, ready, stored, manage, manage_json):
    message = stored(to="+15005550008")
    for _ in range(3):
        make_due()
        dispatch("transactional", until=0)
    shown = manage_json("message", "show", message.tracking_id)
    assert shown["message"]["status"] == "delivered"
    assert [attempt["outcome"] for attempt in shown["attempts"]] == ["unavailable", "unavailable", "accepted"]
    assert shown["attempts"][0]["decision"] == {"chosen": "test", "because": "test_mode", "skipped": {}}
    events = [event["event"] for event in shown["timeline"]]
    assert events[:3] == ["accepted", "stored", "attempt"]
    assert events[-1] == "delivered"
    assert all(earlier["at"] <= later["at"] for earlier, later in zip(shown["timeline"], shown["timeline"][1:], strict=False))
    assert "Your code is" not in manage("message", "show", message.tracking_id)


def make_due():
    Message.objects.filter(status="queued").update(next_attempt_at="2026-01-01T00:00:00Z")


def test_a_message_that_is_not_there_is_said_in_words(manage):
    for wrong in ("0192f0c1-0000-7000-8000-000000000000", "order-17"):
        with pytest.raises(Error, match="there is no message"):
            manage("message", "show", wrong)


def test_what_is_parked_is_listed_shown_put_back_and_dropped(rabbitmq_url, manage, manage_json):
    broker.declare_topology()
    row = Parked.objects.create(
        queue="sms.callbacks", reason="unreadable", body=b'{"x": 1}', headers={"traceparent": "00-ab"}, message_id="m#0"
    )
    (listed,) = manage_json("parked", "list")
    assert "body" not in listed
    assert manage_json("parked", "show", str(row.pk))["body"] == '{"x": 1}'
    assert manage_json("parked", "replay", str(row.pk))["replayed_at"]
    with broker.channel() as channel:
        message = channel.basic_get("sms.callbacks", no_ack=True)
    assert message.body == b'{"x": 1}'
    assert message.properties["type"] == "callback.v1"
    assert message.properties["delivery_mode"] == 2
    assert message.headers["traceparent"] == "00-ab"
    manage("parked", "drop", str(row.pk))
    assert manage_json("parked", "list") == []
    with pytest.raises(Error, match="nothing is parked"):
        manage("parked", "replay", str(row.pk))


def test_a_console_login_is_made_and_given_a_new_password(manage, manage_json, monkeypatch):
    made = manage_json("console", "user", "add", "ann")
    assert get_user_model().objects.get(username="ann").check_password(made["password"])
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
    assert manage_json("console", "user", "add", "ann", "--password-stdin")["password"] is None
    assert get_user_model().objects.get(username="ann").check_password("correct horse battery")
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    with pytest.raises(Error, match="too short"):
        manage("console", "user", "add", "bob", "--password-stdin")


def test_a_provider_is_tried_by_hand_without_leaving_a_message(test_provider, manage_json, manage):
    assert manage_json("provider", "test", "test", "--to=+15005550006")["outcome"] == "accepted"
    out = io.StringIO()
    with pytest.raises(Error, match="has not accepted it"):
        call_command("provider", "test", "test", "--to=+15005550001", "--json", stdout=out)
    refused = json.loads(out.getvalue())
    assert (refused["outcome"], refused["error"]["code"]) == ("refused", "recipient.invalid_number")
    with pytest.raises(Error, match="no possible number"):
        manage("provider", "test", "test", "--to=12")


def test_no_key_is_issued_that_nobody_would_see(client, ready, manage, monkeypatch):
    def gone():
        raise redis.ConnectionError

    monkeypatch.setattr(cache, "ping", gone)
    with pytest.raises(Error, match="nothing was changed"):
        manage("key", "add", client.name)
    assert not client.keys.exists()
