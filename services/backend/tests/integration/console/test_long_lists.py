"""Lists of tables that grow without end: what no index knows is looked for within bounds, and nothing is missed on the way."""

import json
import re
import uuid

from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from sms_backend.accounts.models import Client
from sms_backend.console.admin import keyset
from sms_backend.messages.inbound_models import InboundMessage
from sms_backend.messages.webhook_models import WebhookDelivery, WebhookTry
from sms_contract.ids import uuid7

#: Of a page.
SIZE = 50
DELIVERIES = "/console/sms_messages/webhookdelivery/"
INBOUND = "/console/sms_messages/inboundmessage/"
_FIRST = 1_790_000_000_000


def key(number):
    return uuid.UUID(uuid7(_FIRST + number))


def delivery(client, number, **fields):
    usual = {
        "target": "abc",
        "mode": "live",
        "message_id": key(number),
        "version": 3,
        "type": "message.delivered",
        "body": b"{}",
        "state": "delivered",
        "created_at": timezone.now(),
    }
    return WebhookDelivery.objects.create(id=key(number), client=client, **(usual | fields))


def inbound(client, number, **fields):
    usual = {
        "callback_id": key(number),
        "provider": "alpha",
        "provider_message_id": str(number),
        "sender": "+447911123456",
        "recipient": "+447700900000",
        "text": "Thank you",
        "segments": 1,
        "received_at": timezone.now(),
    }
    return InboundMessage.objects.create(id=key(number), client=client, **(usual | fields))


def followed(browser, path, query):
    """Keys of every page, and how many there were."""
    found, pages = [], 0
    while query is not None:
        answer = browser.get(path, query) if isinstance(query, dict) else browser.get(path + query)
        assert answer.status_code == 200
        found += [row.pk for row in answer.context["cl"].result_list]
        query = answer.context["cl"].older
        pages += 1
    return found, pages


def test_a_filter_looks_through_so_many_rows_says_so_and_misses_none(admin, client, text, monkeypatch):
    monkeypatch.setattr(keyset, "LOOK_THROUGH", 10)
    made = [delivery(client, number, state="failed" if number % 12 == 0 else "delivered").pk for number in range(60)]
    answer = admin.get(DELIVERIES, {"state": "failed"})
    assert "This page has looked back to" in text(answer)
    assert "Older" in text(answer)
    assert followed(admin, DELIVERIES, {"state": "failed"}) == (made[::12][::-1], 7)


def test_a_page_that_is_full_goes_on_where_it_ended(admin, client, monkeypatch):
    monkeypatch.setattr(keyset, "LOOK_THROUGH", 100)
    made = [inbound(client, number, asks="stop").pk for number in range(120)]
    found, _ = followed(admin, INBOUND, {"asks": "stop"})
    assert found == made[::-1]
    assert followed(admin, INBOUND, {"asks": "help"})[0] == []


def test_beyond_the_time_asked_for_nothing_is_looked_for(admin, client, monkeypatch):
    monkeypatch.setattr(keyset, "LOOK_THROUGH", 10)
    for number in range(30):
        inbound(client, number)
    assert followed(admin, INBOUND, {"client__id__exact": client.id, "since": "30d"}) == ([], 1)


#: A client who wrote first and then fell silent, and one who has not stopped since.
_FILL = """
INSERT INTO inbound_messages (
    id, callback_id, provider, provider_message_id, sender, recipient, text, segments, client_id, asks, part, parts, received_at, handed_on_at
)
SELECT (lpad(to_hex(%(first)s + n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid, gen_random_uuid(), 'alpha', n::text,
    '+447911123456', '+447700900000', 'x', 1, CASE WHEN n <= 3000 THEN %(early)s ELSE %(busy)s END, CASE WHEN n %% 100 = 0 THEN 'stop' END, 0, 1,
    now(), now()
FROM generate_series(1, 40000) AS n
"""


def looked_at(browser, query):
    """Keys of a page, and how many rows of the table its statements go over."""
    with CaptureQueriesContext(connection) as captured:
        keys = [row.pk for row in browser.get(INBOUND, query).context["cl"].result_list]
    rows = 0
    with transaction.atomic(), connection.cursor() as cursor:
        for said in (each["sql"] for each in captured.captured_queries):
            if said.startswith("SET LOCAL"):
                cursor.execute(said)
            elif said.startswith("SELECT") and 'FROM "inbound_messages"' in said:
                cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {said}")
                (plan,) = cursor.fetchone()
                rows += walked((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
    return keys, rows


def walked(node):
    here = (
        node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        if "inbound" in node.get("Relation Name", "")
        else 0
    )
    return here + sum(map(walked, node.get("Plans", ())))


def test_one_clients_messages_are_found_along_their_index(admin, client):
    """By key alone, somebody who has been silent since would be looked for among everybody's."""
    busy = Client.objects.create(name="busy")
    with connection.cursor() as cursor:
        cursor.execute(_FILL, {"first": _FIRST, "early": client.id, "busy": busy.id})
        cursor.execute("ANALYZE inbound_messages")
    keys, rows = looked_at(admin, {"client__id__exact": client.id})
    assert (len(keys), keys[0], rows < 500) == (SIZE, mine(3000), True), rows
    keys, rows = looked_at(admin, {"client__id__exact": client.id, "before": str(mine(500))})
    assert (keys[0], len(keys), rows < 500) == (mine(499), SIZE, True), rows
    keys, rows = looked_at(admin, {"client__id__exact": client.id, "after": str(mine(500))})
    assert (keys[0], keys[-1], rows < 500) == (mine(500 + SIZE), mine(501), True), rows
    keys, rows = looked_at(admin, {"client__id__exact": client.id, "asks": "stop"})
    assert (keys, rows < 2 * 3000 + 500) == ([mine(number) for number in range(3000, 0, -100)], True), rows
    assert followed(admin, INBOUND, {"client__id__exact": client.id})[0] == [mine(number) for number in range(3000, 0, -1)]


def mine(number):
    return uuid.UUID(f"{_FIRST + number:012x}70008000{number:012x}")


def test_filters_do_not_ask_a_large_table_which_values_it_has(admin, client, django_assert_max_num_queries):
    delivery(client, 1)
    inbound(client, 2)
    for path in (DELIVERIES, INBOUND):
        with django_assert_max_num_queries(30) as queries:
            admin.get(path)
        assert not [each["sql"] for each in queries.captured_queries if "DISTINCT" in each["sql"] or "COUNT(" in each["sql"]]


def test_a_delivery_tells_each_try(admin, client, text):
    one = delivery(client, 1, state="failed", tries=2)
    now = timezone.now()
    WebhookTry.objects.create(delivery_id=one.pk, number=1, started_at=now, seconds=0.25, status=500, reason="http_status")
    WebhookTry.objects.create(delivery_id=one.pk, number=2, started_at=now, seconds=0.5, status=204)
    shown = text(admin.get(f"{DELIVERIES}{one.pk}/change/"))
    assert re.search(r"\d\d:\d\d:\d\d UTC, 250 ms: 500 http_status", shown), shown
    assert re.search(r"UTC, 500 ms: 204 delivered", shown), shown
