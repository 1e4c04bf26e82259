"""Messages from people: kept, attributed, handed on once; and the list of those who want nothing more."""

import base64
import hashlib
import hmac
import io
import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID

import pytest
from django.core.management.base import CommandError
from django.utils import timezone

from sms_backend.accounts.models import Client, InboundNumber, WebhookEndpoint
from sms_backend.accounts.numbers import add_number
from sms_backend.accounts.subscriptions import subscriptions
from sms_backend.accounts.webhooks import add_endpoint
from sms_backend.console import suppression_list
from sms_backend.core.crypto import seal
from sms_backend.messages import claim
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.inbound import Arrived, hand_on_incomplete, receive
from sms_backend.messages.inbound_models import InboundMessage, Suppression
from sms_backend.messages.models import Message, QuotaUsage, RawCallback
from sms_backend.messages.settle import Settlement, settle
from sms_backend.messages.webhook_models import WebhookDelivery
from sms_backend.pipeline.opt_outs import without_opted_out
from sms_backend.pipeline.persist import persist
from sms_backend.pipeline.receive import receive_all
from sms_backend.pipeline.reports import apply_own
from sms_backend.routing.callback_urls import account_url
from sms_backend.routing.models import Provider
from sms_contract.envelope import Submission
from sms_contract.ids import uuid7
from sms_contract.status import Status
from sms_providers.types import Inbound, Part, Receipt

SID, TOKEN = "AC" + "a" * 32, "token"
NUMBER, PERSON = "+447700900111", "+447911123456"
Make = Callable[..., Submission]


@pytest.fixture
def alpha() -> Provider:
    return Provider.objects.create(slug="alpha", adapter="twilio", config=seal({"account_sid": SID, "auth_token": TOKEN}))


@pytest.fixture
def endpoint(client: Client) -> WebhookEndpoint:
    made = add_endpoint(client, "https://hook.example/").endpoint
    subscriptions.forget()
    return made


@pytest.fixture
def number(client: Client) -> InboundNumber:
    return add_number(NUMBER, client)


def written(provider: Provider, text: str, *, sid: str = "SM1", token: str = TOKEN, **more: str) -> None:
    """A message as Twilio hands it on, signed."""
    fields = {"MessageSid": sid, "AccountSid": SID, "From": PERSON, "To": NUMBER, "Body": text, "NumSegments": "1"} | more
    url = account_url(provider.slug, provider.callback_token)
    signed = url + "".join(name + fields[name] for name in sorted(fields))
    signature = base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()
    RawCallback.objects.create(
        id=uuid7(time.time_ns() // 1_000_000),
        provider=provider.slug,
        method="POST",
        path=f"/v1/callbacks/{provider.slug}",
        query="",
        headers=[["Content-Type", "application/x-www-form-urlencoded"], ["X-Twilio-Signature", signature]],
        body=urlencode(fields).encode(),
        received_at=timezone.now(),
    )
    receive_all(until=time.monotonic() + 10)


def told() -> list[dict[str, Any]]:
    return [json.loads(bytes(body)) for body in WebhookDelivery.objects.order_by("id").values_list("body", flat=True)]


def listed() -> list[tuple[str, str, str]]:
    return [(s.recipient, s.sender, s.source) for s in Suppression.objects.all()]


def suppress(client: Client, sender: str = "") -> None:
    Suppression.objects.create(client=client, recipient=PERSON, sender=sender, source="operator", created_at=timezone.now())


def test_it_goes_to_the_client_whose_number_it_is(
    client: Client, alpha: Provider, endpoint: WebhookEndpoint, number: InboundNumber
) -> None:
    written(alpha, "Hello\0 there")
    kept = InboundMessage.objects.get()
    assert (kept.client_id, kept.sender, kept.recipient, kept.text) == (client.id, PERSON, NUMBER, "Hello there")
    (event,) = told()
    assert event["type"] == "message.received"
    assert event["data"] == {
        "id": str(kept.id),
        "from": PERSON,
        "to": NUMBER,
        "text": "Hello there",
        "segments": 1,
        "received_at": event["timestamp"],
        "client": client.id,
    }
    assert RawCallback.objects.get().verdict == "inbound"


def test_repeated_by_the_vendor_it_is_heard_once(alpha: Provider, endpoint: WebhookEndpoint, number: InboundNumber) -> None:
    written(alpha, "Hello")
    written(alpha, "Hello")
    written(alpha, "Hello", sid="SM2")
    assert len(told()) == InboundMessage.objects.count() == 2


def test_forged_it_is_nothing(alpha: Provider, endpoint: WebhookEndpoint, number: InboundNumber) -> None:
    written(alpha, "STOP", token="guessed")
    assert (told(), listed(), InboundMessage.objects.count()) == ([], [], 0)


def test_to_a_number_that_is_nobodys_it_is_kept(alpha: Provider, endpoint: WebhookEndpoint) -> None:
    written(alpha, "STOP")
    assert (InboundMessage.objects.get().client_id, told(), listed()) == (None, [], [])


def test_a_number_of_one_provider_goes_before_one_of_all(client: Client, alpha: Provider, number: InboundNumber) -> None:
    other = Client.objects.create(name="other")
    add_number(NUMBER, other, provider="alpha")
    written(alpha, "Hello")
    assert InboundMessage.objects.get().client_id == other.id


@pytest.mark.parametrize("fields", [{"text": "stop"}, {"text": "Basta", "OptOutType": "STOP"}])
def test_stop_lists_the_number_for_that_sender(
    alpha: Provider, endpoint: WebhookEndpoint, number: InboundNumber, fields: dict[str, str]
) -> None:
    written(alpha, **fields)
    assert listed() == [(PERSON, NUMBER, "inbound")]
    assert len(told()) == 1
    written(alpha, "START", sid="SM2")
    assert listed() == []


def test_start_leaves_what_an_operator_has_listed(client: Client, alpha: Provider, number: InboundNumber) -> None:
    suppress(client)
    written(alpha, "UNSTOP")
    assert listed() == [(PERSON, "", "operator")]


@pytest.mark.parametrize(
    ("entry", "sender", "barred"), [("", "ACME", True), (NUMBER, NUMBER, True), (NUMBER, "ACME", False), (NUMBER, None, True)]
)
def test_a_send_to_a_listed_number_is_rejected_and_its_quota_returns(
    client: Client, endpoint: WebhookEndpoint, stored: Make, entry: str, sender: str | None, barred: bool
) -> None:
    suppress(client, entry)
    suppress(Client.objects.create(name="other"))
    made = stored(to=PERSON, sender=sender, charged_day="2026-11-23", segments=2)
    message = Message.objects.get(id=made.tracking_id)
    used = sum(QuotaUsage.objects.values_list("used", flat=True))
    if barred:
        assert (message.status, message.error_code, message.next_attempt_at) == ("rejected", "recipient.opted_out", None)
        assert message.refunded_at is not None
        assert [event["type"] for event in told()] == ["message.rejected"]
        assert used == 0
    else:
        assert (message.status, used) == ("queued", 2)


def claimed() -> list[Any]:
    with hot_cursor() as cursor:
        return without_opted_out(cursor, claim.due(cursor, lane="transactional", limit=10, now_ms=time.time_ns() // 1_000_000))


def test_who_opts_out_before_the_claim_gets_nothing(client: Client, endpoint: WebhookEndpoint, stored: Make) -> None:
    made = stored(to=PERSON, charged_day="2026-11-23")
    other = stored(charged_day="2026-11-23")
    suppress(client)
    assert [str(row.id) for row in claimed()] == [other.tracking_id]
    message = Message.objects.get(id=made.tracking_id)
    assert (message.status, message.error_code, message.version) == ("rejected", "recipient.opted_out", 2)
    assert sum(QuotaUsage.objects.values_list("used", flat=True)) == 1
    assert [event["type"] for event in told()] == ["message.rejected"]


def test_after_an_attempt_it_has_failed_and_after_an_unknown_one_it_is_unknown(client: Client, stored: Make) -> None:
    tried, doubtful = stored(to=PERSON), stored(to=PERSON)
    Message.objects.filter(id=tried.tracking_id).update(attempts=1)
    Message.objects.filter(id=doubtful.tracking_id).update(attempts=1, resends=1)
    suppress(client)
    assert claimed() == []
    assert Message.objects.get(id=tried.tracking_id).status == "failed"
    assert Message.objects.get(id=doubtful.tracking_id).status == "unknown"


def started(made: Submission) -> Any:
    with hot_cursor() as cursor:
        (row,) = claim.due(cursor, lane="transactional", limit=10, now_ms=time.time_ns() // 1_000_000)
        claim.start(cursor, [claim.Start(message=row, provider="alpha", decision={})], lease=60)
    return row


def test_a_providers_answer_lists_the_number(client: Client, stored: Make) -> None:
    row = started(stored(to=PERSON, sender="ACME"))
    refused = Settlement(
        message_id=row.id,
        number=1,
        outcome="refused",
        status=Status.FAILED,
        round=0,
        tried=(),
        unsuitable=(),
        error_code="recipient.opted_out",
        opted_out=True,
    )
    persist(lambda cursor: settle(cursor, [refused]))
    assert listed() == [(PERSON, "ACME", "provider")]


@pytest.mark.parametrize(("provider", "found"), [("alpha", [(PERSON, "ACME", "provider")]), ("beta", [])])
def test_a_providers_report_lists_the_number_of_a_message_that_it_had(
    client: Client, stored: Make, provider: str, found: Sequence[tuple[str, str, str]]
) -> None:
    row = started(stored(to=PERSON, sender="ACME"))
    receipt = Receipt(status=Status.UNDELIVERED, code="recipient.opted_out", opted_out=True)
    persist(lambda cursor: apply_own(cursor, [(row.id, 1, provider, receipt)]))
    assert listed() == list(found)


def part(index: int, text: str, *, age: timedelta = timedelta(), total: int = 3) -> Arrived:
    now = datetime.now(UTC) - age
    made = UUID(uuid7(int(now.timestamp() * 1000)))
    message = Inbound(
        message_id=f"p{index}",
        sender=PERSON.lstrip("+"),
        to=NUMBER.lstrip("+"),
        text=text,
        part=Part(index=index, total=total),
        part_reference="r",
    )
    return Arrived(id=made, callback_id=made, provider="alpha", message=message, received_at=now)


def test_parts_are_joined_in_their_order(endpoint: WebhookEndpoint, number: InboundNumber) -> None:
    for one in (part(3, "c"), part(1, "a"), part(1, "a"), part(2, "b")):
        assert told() == []
        with hot_cursor() as cursor:
            receive(cursor, [one])
    (event,) = told()
    assert (event["data"]["text"], event["data"]["segments"], event["data"]["from"], event["data"]["to"]) == ("abc", 3, PERSON, NUMBER)


def test_parts_whose_others_never_come_go_on_as_they_are(endpoint: WebhookEndpoint, number: InboundNumber) -> None:
    with hot_cursor() as cursor:
        receive(cursor, [part(1, "a", age=timedelta(minutes=11)), part(3, "c", age=timedelta(minutes=11))])
        assert hand_on_incomplete(cursor, limit=10) == 1
        assert hand_on_incomplete(cursor, limit=10) == 0
    assert [event["data"]["text"] for event in told()] == ["ac"]


def test_number_commands(client: Client, alpha: Provider, manage_json: Callable[..., Any]) -> None:
    assert manage_json("number", "add", NUMBER, "--client", "shop")["provider"] is None
    manage_json("number", "add", NUMBER, "--client", "shop", "--provider", "alpha")
    assert len(manage_json("number", "list", "--client", "shop")) == 2
    for wrong in (("add", NUMBER, "--client", "shop"), ("add", "+1", "--client", "shop"), ("remove", "12345")):
        with pytest.raises(CommandError):
            manage_json("number", *wrong)
    manage_json("number", "remove", NUMBER)
    assert [n["provider"] for n in manage_json("number", "list")] == ["alpha"]


def test_suppression_commands(
    client: Client, manage: Callable[..., str], manage_json: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert manage_json("suppression", "add", "shop", PERSON) == {"added": 1}
    assert manage_json("suppression", "add", "shop", PERSON) == {"added": 0}
    assert manage_json("suppression", "add", "shop", PERSON, "--sender", "ACME") == {"added": 1}
    exported = manage("suppression", "export", "shop")
    assert exported.splitlines()[0] == "client,number,sender,source,created_at"
    assert manage_json("suppression", "remove", "shop", PERSON) == {"removed": 2}
    monkeypatch.setattr("sys.stdin", io.StringIO(exported))
    assert manage_json("suppression", "import", "shop", "-") == {"read": 2, "added": 2}
    assert {(row["number"], row["sender"]) for row in manage_json("suppression", "list", "shop")} == {(PERSON, ""), (PERSON, "ACME")}
    monkeypatch.setattr("sys.stdin", io.StringIO("number\n+447911123456\n07911\n"))
    with pytest.raises(CommandError, match="line 3") as refused:
        manage_json("suppression", "import", "shop", "-")
    assert "07911" not in str(refused.value)


def test_a_long_suppression_list_goes_out_as_it_is_read(
    client: Client, manage: Callable[..., str], manage_json: Callable[..., Any]
) -> None:
    other = Client.objects.create(name="other")
    now, count = timezone.now(), 2500
    Suppression.objects.bulk_create(
        Suppression(client=owner, recipient=f"+4479{number:08}", sender="", source="import", created_at=now)
        for owner in (client, other)
        for number in range(count)
    )
    expected = {(owner, f"+4479{number:08}") for owner in ("shop", "other") for number in range(count)}
    found = manage_json("suppression", "export")
    assert {(each["client"], each["number"]) for each in found} == expected
    assert len(found) == 2 * count
    lines = manage("suppression", "export", "shop").splitlines()
    assert (len(lines), lines[1].split(",")[:2], lines[-1].split(",")[:2]) == (
        count + 1,
        ["shop", "+447900000000"],
        ["shop", f"+4479{count - 1:08}"],
    )
    assert len(manage_json("suppression", "list", "--limit", "1500")) == 1500
    # What goes while the list goes out is missed beyond what has been read, which is a thousand entries: never all of it is in memory.
    reading = suppression_list.entries(None)
    next(reading)
    Suppression.objects.all().delete()
    assert len(list(reading)) == 999


def came_by_get(provider: Provider, url: str, fields: dict[str, str]) -> RawCallback:
    """A request of a vendor that signs nothing."""
    query = "&".join(part for part in (urlsplit(url).query, urlencode(fields)) if part)
    raw = RawCallback.objects.create(
        id=uuid7(time.time_ns() // 1_000_000),
        provider=provider.slug,
        method="GET",
        path=f"/v1/callbacks/{provider.slug}",
        query=query,
        headers=[],
        body=b"",
        received_at=timezone.now(),
    )
    receive_all(until=time.monotonic() + 10)
    raw.refresh_from_db()
    return raw


UNSIGNED: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "kannel": (
        {"username": "us", "password": "hush", "base_url": "http://127.0.0.1:1"},
        {"id": "1", "from": PERSON, "to": NUMBER, "text": "Hello"},
    ),
    "kavenegar": ({"api_key": "hush"}, {"messageid": "1", "from": PERSON, "to": NUMBER, "message": "Hello"}),
}


@pytest.mark.parametrize("adapter", ["kannel", "kavenegar"])
def test_a_vendor_that_signs_nothing_is_believed_at_the_url_that_the_operator_gave_it(
    adapter: str, endpoint: WebhookEndpoint, number: InboundNumber, manage_json: Callable[..., Any]
) -> None:
    config, fields = UNSIGNED[adapter]
    provider = Provider.objects.create(slug="beta", adapter=adapter, config=seal(config))
    other = Provider.objects.create(slug="gamma", adapter=adapter, config=seal(config))
    shown = manage_json("provider", "show", "beta")["callback_url"]
    assert shown.startswith(account_url("beta", provider.callback_token) + "?")
    assert "callback_url" not in manage_json("provider", "list")[0]
    for wrong in (account_url("beta", provider.callback_token), manage_json("provider", "show", other.slug)["callback_url"]):
        assert came_by_get(provider, wrong, fields).verdict == "forged"
    assert (InboundMessage.objects.count(), told()) == (0, [])
    assert came_by_get(provider, shown, fields).verdict == "inbound"
    assert [event["data"]["text"] for event in told()] == ["Hello"]


def test_a_report_pushed_to_the_accounts_url_counts_by_its_mac_alone(client: Client, stored: Make, manage_json: Callable[..., Any]) -> None:
    provider = Provider.objects.create(slug="beta", adapter="kavenegar", config=seal(UNSIGNED["kavenegar"][0]))
    made = stored()
    with hot_cursor() as cursor:
        (row,) = claim.due(cursor, lane="transactional", limit=1, now_ms=time.time_ns() // 1_000_000)
        claim.start(cursor, [claim.Start(message=row, provider="beta", decision={})], lease=60)
    accepted = Settlement(
        message_id=row.id,
        number=1,
        outcome="accepted",
        status=Status.SENT,
        round=0,
        tried=(),
        unsuitable=(),
        provider="beta",
        provider_message_id="77",
    )
    persist(lambda cursor: settle(cursor, [accepted]))
    report = {"messageid": "77", "status": "10"}
    came_by_get(provider, account_url("beta", provider.callback_token), report)
    assert Message.objects.get(id=made.tracking_id).status == "sent"
    came_by_get(provider, manage_json("provider", "show", "beta")["callback_url"], report)
    assert Message.objects.get(id=made.tracking_id).status == "delivered"
