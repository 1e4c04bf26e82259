"""Webhooks: written with the change, delivered to a real receiver, verified with the published library."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from standardwebhooks.webhooks import Webhook

from sms_backend.accounts import webhooks as accounts
from sms_backend.accounts.models import Client, WebhookEndpoint
from sms_backend.accounts.subscriptions import Subscriptions, subscriptions
from sms_backend.messages import claim, deliveries
from sms_backend.messages.events import announce
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.models import Message
from sms_backend.messages.settle import Settlement, settle
from sms_backend.messages.webhook_models import WebhookDelivery, WebhookTry
from sms_backend.pipeline.persist import persist
from sms_backend.pipeline.webhooks import Deliverer
from sms_contract.envelope import Submission
from sms_contract.status import Status
from sms_simulators.webhook_sink import Sink, listening

Make = Callable[..., Submission]


@pytest.fixture
def sink() -> Iterator[Sink]:
    with listening() as sink:
        yield sink


@pytest.fixture
def deliver() -> Iterator[Callable[[], int]]:
    deliverer = Deliverer()
    yield lambda: deliverer.deliver(until=time.monotonic() + 10)
    deliverer.close()


def endpoint(client: Client, sink: Sink, *types: str) -> accounts.IssuedEndpoint:
    issued = accounts.add_endpoint(client, sink.url, types=types)
    subscriptions.forget()
    return issued


def becomes(made: Submission, status: Status, *, number: int = 1, code: str | None = None) -> None:
    """One attempt, and what the message is by it."""
    with hot_cursor() as cursor:
        row = next(
            r
            for r in claim.due(cursor, lane="transactional", limit=50, now_ms=time.time_ns() // 1_000_000)
            if str(r.id) == made.tracking_id
        )
        claim.start(cursor, [claim.Start(message=row, provider="alpha", decision={})], lease=60)
    outcome = "accepted" if status is Status.SENT else "refused"
    settlement = Settlement(
        message_id=row.id,
        number=number,
        outcome=outcome,
        status=status,
        round=0,
        tried=(),
        unsuitable=(),
        provider="alpha",
        error_code=code,
    )
    persist(lambda cursor: settle(cursor, [settlement]))


def moved(made: Submission, status: str) -> None:
    """The next status, by the way that every change takes."""
    persist(
        lambda cursor: cursor.execute(
            "UPDATE messages SET status = %s, version = version + 1, updated_at = now() WHERE id = %s RETURNING *, now() AS settled_at",
            (status, made.tracking_id),
        ).fetchall()
    )


def only() -> WebhookDelivery:
    return WebhookDelivery.objects.get()


def test_a_change_reaches_the_endpoint_signed(stored: Make, client: Client, sink: Sink, deliver: Callable[[], int]) -> None:
    issued = endpoint(client, sink)
    made = stored(reference="order-17", metadata={"a": "b"})
    becomes(made, Status.SENT)
    assert deliver() == 1
    (got,) = sink.got
    document = Webhook(issued.secret).verify(got.body, got.headers)
    assert document["type"] == "message.sent"
    data = document["data"]
    assert (data["tracking_id"], data["status"], data["version"], data["reference"]) == (made.tracking_id, "sent", 3, "order-17")
    assert (data["to"], data["from"], data["provider"]["name"]) == (made.to, None, "alpha")
    assert document["timestamp"] == data["updated_at"]
    assert got.headers["webhook-id"] == str(only().id)
    assert (only().state, only().tries) == ("delivered", 1)
    tried = WebhookTry.objects.get()
    assert (tried.delivery_id, tried.number, tried.status, tried.reason) == (only().id, 1, 204, None)
    assert deliver() == 0


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_worker_whose_clock_is_off_signs_with_a_time_that_receivers_take(
    stored: Make, client: Client, sink: Sink, deliver: Callable[[], int], monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """Who checks signatures refuses what is five minutes off."""
    issued = endpoint(client, sink)
    becomes(stored(), Status.SENT)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + hours * 3600)
    assert deliver() == 1
    monkeypatch.undo()
    (got,) = sink.got
    assert Webhook(issued.secret).verify(got.body, got.headers)["type"] == "message.sent"
    assert abs(WebhookTry.objects.get().started_at - timezone.now()) < timedelta(minutes=5)


def test_it_is_written_with_the_change_or_not_at_all(stored: Make, client: Client, sink: Sink) -> None:
    endpoint(client, sink)
    made = stored()
    becomes(made, Status.SENT)
    row = Message.objects.get(id=made.tracking_id)
    WebhookDelivery.objects.all().delete()
    with transaction.atomic():
        with hot_cursor() as cursor:
            assert announce(cursor, [row]) == 1
        transaction.set_rollback(True)
    assert not WebhookDelivery.objects.exists()


def test_types_filter(stored: Make, client: Client, sink: Sink, deliver: Callable[[], int]) -> None:
    endpoint(client, sink, "message.delivered", "message.failed")
    made = stored()
    becomes(made, Status.SENT)
    moved(made, "delivered")
    becomes(stored(), Status.FAILED, code="content.blocked")
    deliver()
    assert sorted(sink.types()) == ["message.delivered", "message.failed"]
    failed = next(got for got in sink.got if got.document["type"] == "message.failed")
    assert failed.document["data"]["error"]["code"] == "content.blocked"


def test_clients_without_endpoints_cost_nothing(stored: Make, client: Client, sink: Sink) -> None:
    endpoint(Client.objects.create(name="other"), sink)
    made = stored()
    becomes(made, Status.SENT)
    row = Message.objects.get(id=made.tracking_id)
    with transaction.atomic(), hot_cursor() as cursor, connection.execute_wrapper(_forbidden):
        assert announce(cursor, [row]) == 0
    assert not WebhookDelivery.objects.exists()


def _forbidden(*_: Any) -> Any:
    raise AssertionError("a query")


def test_callback_url_instead_of_the_endpoints(stored: Make, client: Client, sink: Sink, deliver: Callable[[], int]) -> None:
    endpoint(client, sink)
    with listening() as own:
        becomes(stored(callback_url=own.url), Status.SENT)
        deliver()
        assert not sink.got
        (got,) = own.got
        secret = accounts.signing_secrets(accounts.default_secret(client))[0]
        assert Webhook(secret).verify(got.body, got.headers)["type"] == "message.sent"


def test_both_secrets_sign_while_they_change(stored: Make, client: Client, sink: Sink, deliver: Callable[[], int]) -> None:
    issued = endpoint(client, sink)
    newest = accounts.rotate(issued.endpoint)
    becomes(stored(), Status.SENT)
    deliver()
    (got,) = sink.got
    for secret in (issued.secret, newest):
        Webhook(secret).verify(got.body, got.headers)
    WebhookEndpoint.objects.update(previous_until=timezone.now() - timedelta(seconds=1))
    assert accounts.signing_secrets(WebhookEndpoint.objects.get()) == [newest]


def test_secrets_are_not_readable_at_rest(client: Client, sink: Sink) -> None:
    issued = endpoint(client, sink)
    assert issued.secret.startswith("whsec_")
    assert issued.secret.removeprefix("whsec_") not in issued.endpoint.secret
    assert issued.secret not in repr(issued)


def test_a_failure_is_tried_again_under_the_same_id_with_a_new_time(
    stored: Make, client: Client, sink: Sink, deliver: Callable[[], int]
) -> None:
    issued = endpoint(client, sink)
    becomes(stored(), Status.SENT)
    sink.always(500)
    deliver()
    waiting = only()
    assert (waiting.state, waiting.reason, waiting.step) == ("pending", "http_5xx", 1)
    assert waiting.next_try_at is not None
    assert 3 < (waiting.next_try_at - timezone.now()).total_seconds() < 6
    assert WebhookEndpoint.objects.get().failing_since is not None
    WebhookDelivery.objects.update(next_try_at=timezone.now())
    sink.always(200)
    deliver()
    assert [got.headers["webhook-id"] for got in sink.got] == [str(waiting.id)] * 2
    Webhook(issued.secret).verify(sink.got[1].body, sink.got[1].headers)
    assert [(t.number, t.status, t.reason) for t in WebhookTry.objects.order_by("number")] == [(1, 500, "http_5xx"), (2, 200, None)]
    assert WebhookEndpoint.objects.get().failing_since is None


def test_after_the_last_try_it_is_given_up_and_can_be_replayed(
    stored: Make, client: Client, sink: Sink, deliver: Callable[[], int], manage_json: Callable[..., Any]
) -> None:
    issued = endpoint(client, sink)
    becomes(stored(), Status.SENT)
    WebhookDelivery.objects.update(step=9)
    sink.always(500)
    deliver()
    assert (only().state, only().next_try_at) == ("failed", None)
    assert deliver() == 0
    sink.always(200)
    assert manage_json("webhook", "replay", str(only().id)) == {"replayed": 1}
    assert deliver() == 1
    assert (only().state, only().tries) == ("delivered", 2)
    assert manage_json("webhook", "replay", issued.endpoint.id) == {"replayed": 0}
    assert manage_json("webhook", "replay", issued.endpoint.id, "--all") == {"replayed": 1}
    assert deliver() == 1


def test_retry_after_moves_the_next_try(stored: Make, client: Client, sink: Sink, deliver: Callable[[], int]) -> None:
    endpoint(client, sink)
    becomes(stored(), Status.SENT)
    sink.always(429, Retry_After="600")
    deliver()
    due = only().next_try_at
    assert due is not None
    assert 590 < (due - timezone.now()).total_seconds() <= 600


def test_gone_disables_the_endpoint(stored: Make, client: Client, sink: Sink, deliver: Callable[[], int]) -> None:
    issued = endpoint(client, sink)
    becomes(stored(), Status.SENT)
    becomes(stored(), Status.SENT)
    sink.always(410)
    deliver()
    issued.endpoint.refresh_from_db()
    assert issued.endpoint.disabled_reason == "gone"
    subscriptions.forget()
    becomes(stored(), Status.SENT)
    assert deliver() == 0
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"failed"}


def test_five_days_of_failure_disable_the_endpoint(stored: Make, client: Client, sink: Sink, deliver: Callable[[], int]) -> None:
    issued = endpoint(client, sink)
    WebhookEndpoint.objects.update(failing_since=timezone.now() - timedelta(days=5, seconds=1))
    becomes(stored(), Status.SENT)
    sink.always(500)
    deliver()
    issued.endpoint.refresh_from_db()
    assert issued.endpoint.disabled_reason == "failing"
    # What was waiting is given up, and nobody is called.
    WebhookDelivery.objects.update(next_try_at=timezone.now())
    deliver()
    assert (only().state, only().reason, len(sink.got)) == ("failed", "endpoint_disabled", 1)


def test_versions_of_a_message_come_in_order(stored: Make, client: Client, sink: Sink, deliver: Callable[[], int]) -> None:
    endpoint(client, sink)
    many = [stored() for _ in range(20)]
    for made in many:
        becomes(made, Status.SENT)
        moved(made, "delivered")
    assert deliver() == 40
    for made in many:
        of_it = [got.document["data"]["version"] for got in sink.got if got.document["data"]["tracking_id"] == made.tracking_id]
        assert of_it == [3, 4]


def test_one_that_waits_for_its_next_try_holds_up_no_later_one(
    stored: Make, client: Client, sink: Sink, deliver: Callable[[], int]
) -> None:
    endpoint(client, sink)
    made = stored()
    becomes(made, Status.SENT)
    sink.always(500)
    deliver()
    sink.always(200)
    moved(made, "delivered")
    assert deliver() == 1
    assert sink.types()[-1] == "message.delivered"


def test_a_worker_that_died_leaves_a_lease(stored: Make, client: Client, sink: Sink, deliver: Callable[[], int]) -> None:
    endpoint(client, sink)
    becomes(stored(), Status.SENT)
    with hot_cursor() as cursor:
        assert len(deliveries.claim(cursor, limit=10, lease=60, busy=())) == 1
    assert deliver() == 0
    WebhookDelivery.objects.update(next_try_at=timezone.now(), lease_until=timezone.now())
    assert deliver() == 1
    assert (only().state, only().tries) == ("delivered", 2)


def test_many_at_once_go_out_once_each(stored: Make, client: Client, sink: Sink, deliver: Callable[[], int]) -> None:
    endpoint(client, sink)
    for _ in range(100):
        moved(stored(), "failed")
    assert deliver() == 100
    assert len({got.headers["webhook-id"] for got in sink.got}) == 100
    assert WebhookTry.objects.count() == 100


def test_a_large_answer_is_not_read_on(stored: Make, client: Client, sink: Sink, deliver: Callable[[], int]) -> None:
    endpoint(client, sink)
    becomes(stored(), Status.SENT)
    sink.always(200, Content_Length=str(50_000_000))
    deliver()
    assert only().state == "delivered"


def test_a_reused_key_is_told_as_rejected(stored: Make, client: Client, sink: Sink, deliver: Callable[[], int]) -> None:
    endpoint(client, sink)
    stored(idempotency="aa" * 16)
    stored(idempotency="aa" * 16, fingerprint="cd" * 32)
    deliver()
    assert sink.types() == ["message.rejected"]
    assert sink.got[0].document["data"]["error"]["code"] == "idempotency.key_reused"


def test_once_an_endpoint_is_added_no_process_misses_an_event(client: Client, manage_json: Callable[..., Any]) -> None:
    elsewhere = Subscriptions()
    assert elsewhere.by_client() == {}
    added = manage_json("webhook", "add", "shop", "https://example.com/hook")
    assert [each.endpoint_id for each in elsewhere.by_client()[client.id]] == [added["endpoint_id"]]


def test_commands(client: Client, sink: Sink, manage_json: Callable[..., Any]) -> None:
    added = manage_json("webhook", "add", "shop", "https://example.com/hook", "--type", "message.sent")
    assert set(added) == {"endpoint_id", "secret"}
    (listed,) = manage_json("webhook", "list", "shop")
    assert (listed["endpoint_id"], listed["types"], listed["state"]) == (added["endpoint_id"], ["message.sent"], "enabled")
    assert added["secret"] not in str(listed)
    rotated = manage_json("webhook", "rotate", added["endpoint_id"])
    assert rotated["secret"] != added["secret"]
    assert manage_json("webhook", "disable", added["endpoint_id"])["state"] == "disabled (operator)"
    assert manage_json("webhook", "enable", added["endpoint_id"])["state"] == "enabled"
    default = manage_json("webhook", "secret", "shop")["secret"]
    assert manage_json("webhook", "secret", "shop")["secret"] == default
    assert manage_json("webhook", "rotate", "shop")["secret"] == manage_json("webhook", "secret", "shop")["secret"] != default
    assert manage_json("webhook", "log", added["endpoint_id"]) == []


def test_the_timeline_shows_webhooks_and_their_tries(
    stored: Make, client: Client, sink: Sink, deliver: Callable[[], int], manage_json: Callable[..., Any]
) -> None:
    endpoint(client, sink)
    made = stored()
    becomes(made, Status.SENT)
    sink.always(500)
    deliver()
    shown = manage_json("message", "show", made.tracking_id)
    (webhook,) = shown["webhooks"]
    assert (webhook["type"], webhook["state"], webhook["reason"]) == ("message.sent", "pending", "http_5xx")
    assert [(tried["number"], tried["status"]) for tried in webhook["tries"]] == [(1, 500)]
    assert "webhook" in [event["event"] for event in shown["timeline"]]
