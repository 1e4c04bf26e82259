"""A day's operations in the console: what each role may do, what it does, and that it is written down."""

import re
from datetime import timedelta

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from sms_backend.accounts import webhooks
from sms_backend.accounts.models import InboundNumber, WebhookEndpoint
from sms_backend.console.models import AuditEntry
from sms_backend.console.rights import Role
from sms_backend.core.crypto import unseal
from sms_backend.messages import tallies
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.models import Parked, Suppression, WebhookDelivery
from sms_backend.routing.models import Pause, Provider
from sms_backend.routing.services import add_provider

NUMBER = "+447911123456"
TWILIO = {"account_sid": "AC1", "auth_token": "hush", "base_url": "http://127.0.0.1:9"}


def actions():
    """What was done, but for coming in."""
    return list(AuditEntry.objects.exclude(action="sign_in.passed").order_by("pk").values_list("action", flat=True))


def test_what_is_held_stands_on_every_page_until_it_goes_on(login, client, text):
    operator = login(Role.OPERATOR)
    operator.post("/console/pauses/hold/", {"client": client.id, "lane": "promotional", "provider": ""})
    held = Pause.objects.get()
    assert (held.client_id, held.lane, held.provider_id) == (client.id, "promotional", None)
    for path in ("/console/", "/console/routes/", "/console/accounts/client/"):
        assert "Sending is held back. shop, promotional, every provider" in text(operator.get(path))
    operator.post(f"/console/pauses/{held.pk}/resume/")
    assert not Pause.objects.exists()
    assert "held back" not in text(operator.get("/console/accounts/client/"))
    assert actions() == ["sending.paused", "sending.resumed"]


def test_one_pause_taken_back_leaves_the_others(login, client):
    operator = login(Role.OPERATOR)
    operator.post("/console/pauses/hold/", {"client": client.id, "lane": "", "provider": ""})
    operator.post("/console/pauses/hold/", {"client": client.id, "lane": "otp", "provider": ""})
    operator.post(f"/console/pauses/{Pause.objects.get(lane=None).pk}/resume/")
    assert Pause.objects.get().lane == "otp"


def test_a_route_is_explained_and_its_number_is_in_no_address(login, client, text):
    add_provider("alpha", adapter="twilio", config=TWILIO, priority=2)
    add_provider("beta", adapter="twilio", config=TWILIO, countries=["US"])
    asked = {"client": client.id, "to": NUMBER, "sender": "", "lane": "otp", "mode": "live", "providers": ""}
    shown = text(login(Role.VIEWER).post("/console/routes/", asked))
    assert "1. alpha" in shown
    assert re.search(r"no beta country", shown), shown
    wrong = text(login(Role.VIEWER, "another").post("/console/routes/", asked | {"to": "0791"}))
    assert "it is no possible number" in wrong


def test_a_number_is_suppressed_found_masked_and_taken_off(login, client, text):
    operator = login(Role.OPERATOR)
    asked = {"client": client.id, "number": NUMBER, "sender": ""}
    operator.post("/console/suppressions/", asked | {"do": "add"})
    assert Suppression.objects.get().source == "operator"
    found = text(operator.post("/console/suppressions/", asked | {"do": "find"}))
    assert "operator" in found
    assert NUMBER not in found.replace(f"E.164, such as {NUMBER}", "")
    assert login(Role.VIEWER).post("/console/suppressions/", asked | {"do": "remove"}).status_code == 403
    operator.post("/console/suppressions/", asked | {"do": "remove"})
    assert not Suppression.objects.exists()
    assert actions() == ["suppression.added", "suppression.removed"]
    assert not any(NUMBER in str(entry.changes) for entry in AuditEntry.objects.all())


def test_a_file_is_read_whole_or_not_at_all_and_written_again(login, client, text):
    operator = login(Role.OPERATOR)

    def give(content):
        upload = SimpleUploadedFile("numbers.csv", content)
        return text(operator.post("/console/suppressions/import/", {"client": client.id, "file": upload}, follow=True))

    assert "line 3: not an E.164 number" in give(b"number\n+447911123456\n0791\n")
    assert not Suppression.objects.exists()
    assert "2 read, 2 of them new" in give(b"number,sender\n+447911123456,\n+447911123457,ACME\n")
    assert "It is not UTF-8" in give(b"number\n\xff\xfe\n")
    rows = operator.post("/console/suppressions/export/").getvalue().decode().splitlines()
    assert rows[0] == "client,number,sender,source,created_at"
    assert [row.split(",")[:3] for row in rows[1:]] == [["shop", "+447911123456", ""], ["shop", "+447911123457", "ACME"]]
    assert actions() == ["suppressions.imported", "suppressions.exported"]


def test_a_webhooks_secret_is_shown_once_when_it_is_made_and_when_it_is_renewed(admin, client, page):
    made = page(admin.post("/console/accounts/webhookendpoint/add/", {"client": client.id, "url": "https://example.com/h", "types": ""}))
    endpoint = WebhookEndpoint.objects.get()
    first = unseal(endpoint.secret)["secret"]
    assert first in made
    assert first not in page(admin.get(f"/console/accounts/webhookendpoint/{endpoint.id}/change/"))
    renewed = page(admin.post("/console/accounts/webhookendpoint/", {"action": "rotate", "_selected_action": [endpoint.id]}))
    endpoint.refresh_from_db()
    assert unseal(endpoint.secret)["secret"] in renewed
    assert unseal(endpoint.secret)["secret"] != first
    assert actions() == ["webhook.added", "webhook.secret_rotated"]
    assert first not in str(list(AuditEntry.objects.values_list("changes", flat=True)))


def test_what_is_wrong_with_a_webhook_stands_beside_its_field(admin, client, page):
    html = page(admin.post("/console/accounts/webhookendpoint/add/", {"client": client.id, "url": "ftp://x", "types": "message.lost"}))
    assert "is no type" in html or "absolute URL" in html
    assert not WebhookEndpoint.objects.exists()


def test_deliveries_are_tried_again_one_and_all_that_failed_since(login, client):
    endpoint = webhooks.add_endpoint(client, "https://example.com/h").endpoint
    now = timezone.now()
    for number, (state, age) in enumerate((("failed", 1), ("failed", 30), ("delivered", 1))):
        WebhookDelivery.objects.create(
            id=f"01990000-0000-7000-8000-00000000000{number}",
            client=client,
            target=endpoint.id,
            mode="live",
            message_id="01990000-0000-7000-8000-000000000099",
            version=1,
            type="message.delivered",
            body=b"{}",
            state=state,
            created_at=now - timedelta(hours=age),
            finished_at=now,
        )
    operator = login(Role.OPERATOR)
    operator.post(f"/console/webhooks/{endpoint.id}/replay/", {"hours": "24"})
    states = [delivery.state for delivery in WebhookDelivery.objects.order_by("id")]
    assert states == ["pending", "failed", "delivered"]
    chosen = {"action": "replay", "_selected_action": ["01990000-0000-7000-8000-000000000002"]}
    operator.post("/console/sms_messages/webhookdelivery/", chosen)
    assert [delivery.state for delivery in WebhookDelivery.objects.order_by("id")] == ["pending", "failed", "pending"]
    assert actions() == ["webhook.replayed", "webhook.replayed"]


def test_parked_content_is_shown_when_asked_for_by_those_who_may_and_written_down(login, text):
    row = Parked.objects.create(queue="sms.submissions", reason="not an envelope", body=b'{"to": "+447911123456"}', message_id="m#0")
    path = f"/console/sms_messages/parked/{row.pk}/change/"
    operator = login(Role.OPERATOR)
    assert NUMBER not in text(operator.get(path))
    assert NUMBER in text(operator.post(f"/console/parked/{row.pk}/content/"))
    viewer = login(Role.VIEWER)
    assert "Your role does not see it" in text(viewer.get(path))
    assert viewer.post(f"/console/parked/{row.pk}/content/").status_code == 403
    operator.post("/console/sms_messages/parked/", {"action": "drop", "_selected_action": [row.pk]})
    assert not Parked.objects.exists()
    assert actions() == ["parked.revealed", "parked.dropped"]


def test_numbers_are_given_and_taken(admin, client):
    admin.post("/console/accounts/inboundnumber/add/", {"number": "+447700900000", "client": client.id, "provider": ""})
    number = InboundNumber.objects.get()
    admin.post(f"/console/accounts/inboundnumber/{number.pk}/delete/", {"post": "yes"})
    assert not InboundNumber.objects.exists()
    assert actions() == ["number.added", "number.removed"]


def test_a_providers_page_says_how_it_is_and_only_who_configures_sees_where_it_reports_to(admin, login, text):
    add_provider("alpha", adapter="twilio", config=TWILIO)
    token = Provider.objects.get(slug="alpha").callback_token
    path = "/console/routing/provider/alpha/change/"
    assert token in text(admin.get(path))
    shown = text(login(Role.VIEWER).get(path))
    assert token not in shown
    assert "Circuit closed" in shown
    assert "0, 0 of them errors" in shown


def test_a_trial_says_what_the_provider_answers(login, text):
    add_provider("alpha", adapter="twilio", config=TWILIO)
    answer = login(Role.OPERATOR).post("/console/providers/alpha/trial/", {"to": NUMBER, "sender": "ACME", "text": "hello"}, follow=True)
    entry = AuditEntry.objects.get(action="provider.tested")
    assert entry.changes["outcome"] == "not_sent"
    assert f"alpha: {entry.changes['outcome']}" in text(answer)
    assert NUMBER not in str(entry.changes)


def test_the_overview_adds_up_what_there_is(login, client, stored, text, rabbitmq_url):
    for status in ("delivered", "delivered", "delivered", "failed"):
        message = stored(mode="live", to=NUMBER)
        with hot_cursor() as cursor:
            cursor.execute(
                "UPDATE messages SET status = %s, provider = 'alpha', sent_at = now() WHERE id = %s", (status, message.tracking_id)
            )
    with hot_cursor() as cursor:
        cursor.execute("UPDATE messages SET error_code = 'recipient.unreachable' WHERE status = 'failed'")
        tallies.fold(cursor, timezone.now(), limit=1000)
    shown = text(login(Role.VIEWER).get("/console/figures/?span=1h"))
    assert "Accepted 4" in shown
    assert "Delivery rate 75.0 %" in shown
    assert "alpha 4 75.0 % 1" in shown
    assert "GB 4 75.0 % 1" in shown
    assert "recipient.unreachable alpha 1" in shown
    assert "No test message was accepted" in text(login(Role.VIEWER, "v2").get("/console/figures/?mode=test"))


def test_the_overview_counts_no_message(login, client, stored, django_assert_max_num_queries):
    browser = login(Role.VIEWER)
    stored(mode="live")
    with django_assert_max_num_queries(25) as queries:
        browser.get("/console/")
    counting = [query["sql"] for query in queries.captured_queries if re.search(r"count\(", query["sql"], re.IGNORECASE)]
    assert all("LIMIT" in sql for sql in counting if "messages" in sql)
