"""Messages in the console: found, told, looked at, taken back, sent anew, exported."""

import csv
import io

import pytest

from sms_backend.console.masking import shown_number
from sms_backend.console.models import AuditEntry
from sms_backend.console.rights import Role
from sms_backend.messages import lookup
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.models import Attempt, Message
from sms_backend.messages.pseudonyms import pseudonym
from sms_backend.messages.resend_models import Resend
from sms_backend.routing.models import Provider
from sms_contract.ids import uuid7

LIST = "/console/sms_messages/message/"
NUMBER = "+447911123456"
TEXT = "Your code is 424242"


def url(tracking_id, what="change"):
    return f"{LIST}{tracking_id}/{what}/"


def ended(message, status):
    """As if its life had gone on to there."""
    with hot_cursor() as cursor:
        cursor.execute(
            "UPDATE messages SET status = %s, next_attempt_at = NULL, version = version + 1 WHERE id = %s", (status, message.tracking_id)
        )


def listed(answer):
    return [str(row.pk) for row in answer.context["cl"].result_list]


def entries(action):
    return list(AuditEntry.objects.filter(action=action).order_by("id"))


@pytest.fixture
def message(client, stored):
    return stored(to=NUMBER, text=TEXT, reference="order-17", metadata={"shop": "north"})


def test_a_message_is_found_by_id_number_and_reference(admin, message, stored):
    stored(to="+447911123999")
    for term in (message.tracking_id, NUMBER, "0044 7911 123-456", "order-17"):
        assert listed(admin.get(LIST, {"q": term})) == [message.tracking_id], term
    assert listed(admin.get(LIST, {"q": "order-18"})) == []
    assert listed(admin.get(LIST, {"q": uuid7(1)})) == []


def test_filters_find_what_they_say(admin, message, stored, client):
    otp = stored(traffic_type="otp", mode="live")
    ended(otp, "failed")
    with hot_cursor() as cursor:
        cursor.execute("UPDATE messages SET provider = 'alpha' WHERE id = %s", (otp.tracking_id,))
    Provider.objects.create(slug="alpha", adapter="twilio", config="")
    for filters in ({"status": "failed"}, {"provider": "alpha"}, {"mode": "live"}, {"lane": "otp"}):
        assert listed(admin.get(LIST, filters)) == [otp.tracking_id], filters
    assert listed(admin.get(LIST, {"client": client.id, "since": "1h"})) == [otp.tracking_id, message.tracking_id]
    assert listed(admin.get(LIST, {"client": "nobody"})) == []
    assert listed(admin.get(LIST, {"since": "2099-01-01T00:00:00Z"})) == []
    assert listed(admin.get(LIST, {"until": "2000-01-01T00:00:00Z"})) == []


def test_pages_follow_one_another_without_a_gap(admin, client, stored):
    made = [stored(to=NUMBER).tracking_id for _ in range(120)]
    for filters in ({}, {"q": NUMBER}, {"client": client.id}, {"status": "queued"}):
        seen, query = [], filters
        for _ in range(3):
            answer = admin.get(LIST, query) if isinstance(query, dict) else admin.get(LIST + query)
            seen += listed(answer)
            query = answer.context["cl"].older
        assert query is None
        assert seen == made[::-1], filters


def test_a_page_that_looks_for_what_no_index_knows_stops_and_says_so(admin, client, stored, text, monkeypatch):
    monkeypatch.setattr(lookup, "LOOK_THROUGH", 3)
    wanted = stored()
    ended(wanted, "failed")
    for _ in range(4):
        stored()
    answer = admin.get(LIST, {"status": "failed"})
    assert listed(answer) == []
    assert "This page has looked back to" in text(answer)
    assert listed(admin.get(LIST + answer.context["cl"].older)) == [wanted.tracking_id]


def test_a_list_asks_few_questions_and_counts_nothing(admin, client, stored, django_assert_max_num_queries):
    for _ in range(60):
        stored()
    admin.get(LIST)
    with django_assert_max_num_queries(20) as queries:
        admin.get(LIST, {"status": "queued"})
    assert not [query["sql"] for query in queries.captured_queries if "COUNT(" in query["sql"] and "messages" in query["sql"]]


@pytest.mark.parametrize("role", Role)
def test_number_and_text_are_hidden_until_somebody_who_may_asks_for_them(login, page, message, role):
    browser = login(role)
    assert shown_number(NUMBER) == "+44791***3456"
    for shown in (page(browser.get(LIST)), page(browser.get(url(message.tracking_id)))):
        assert NUMBER not in shown
        assert TEXT not in shown
        assert "+44791***3456" in shown
    assert not entries("message.revealed")
    answer = browser.post(url(message.tracking_id, "reveal"))
    if role is Role.VIEWER:
        assert answer.status_code == 403
        assert not entries("message.revealed")
        return
    shown = page(answer)
    assert NUMBER in shown
    assert TEXT in shown
    assert "no-store" in answer["Cache-Control"]
    (entry,) = entries("message.revealed")
    assert (entry.who, entry.object_id, NUMBER in str(vars(entry)), TEXT in str(vars(entry))) == (role, message.tracking_id, False, False)


def test_a_look_is_never_a_get(admin, message):
    assert admin.get(url(message.tracking_id, "reveal")).status_code == 405


def test_the_story_says_who_was_chosen_who_was_not_and_why(admin, message, text):
    row = Message.objects.get()
    decision = {"chosen": "alpha", "because": "priority", "skipped": {"beta": "circuit_open", "gamma": "something_new"}}
    Attempt.objects.create(
        message=row, number=1, provider="alpha", outcome="accepted", decision=decision, started_at=row.stored_at, finished_at=row.stored_at
    )
    told = text(admin.get(url(message.tracking_id)))
    assert "Chosen because it has the highest priority of those that fit." in told
    assert "Passed over beta : its circuit is open." in told
    assert "Passed over gamma : something new." in told
    assert "Taken by the provider" in told


def test_an_unknown_message_is_not_found(admin):
    assert admin.get(url(uuid7(1))).status_code == 404
    assert admin.get(f"{LIST}nonsense/change/").status_code in {302, 404}


def test_a_message_that_waits_is_canceled_once_confirmed(admin, message, text):
    assert "Cancel this message?" in text(admin.get(url(message.tracking_id, "cancel")))
    assert Message.objects.get().status == "queued"
    assert "Canceled." in text(admin.post(url(message.tracking_id, "cancel"), follow=True))
    assert Message.objects.get().status == "canceled"
    assert [entry.object_id for entry in entries("message.cancel_requested")] == [message.tracking_id]
    assert "final" in text(admin.post(url(message.tracking_id, "cancel"), follow=True))
    assert len(entries("message.cancel_requested")) == 1


def test_what_did_not_arrive_is_sent_anew_as_another_message_and_once_only(admin, message, text):
    ended(message, "undelivered")
    assert "It is undelivered: it has not arrived" in text(admin.get(url(message.tracking_id, "resend")))
    assert Message.objects.count() == 1
    answer = admin.post(url(message.tracking_id, "resend"))
    again = admin.post(url(message.tracking_id, "resend"))
    assert answer["Location"] == again["Location"]
    old, new = Message.objects.order_by("id")
    assert (str(old.pk), old.status) == (message.tracking_id, "undelivered")
    assert answer["Location"] == url(new.pk)
    for name in ("recipient", "text", "client_id", "mode", "reference", "segments", "encoding", "lane", "sender"):
        assert getattr(new, name) == getattr(old, name), name
    assert (new.status, new.charged_day, new.metadata) == ("queued", None, {"shop": "north", "resend_of": message.tracking_id})
    assert abs((new.expires_at - new.created_at) - (old.expires_at - old.created_at)).total_seconds() < 1
    assert (Resend.objects.get().original_id, Resend.objects.get().message_id) == (old.pk, new.pk)
    (entry,) = entries("message.resent")
    assert entry.changes == {"status": "undelivered", "new_message": str(new.pk)}
    assert f"It was sent anew as {new.pk}" in text(admin.get(url(old.pk)))
    assert f"It stands for {old.pk}" in text(admin.get(url(new.pk)))


def test_the_risk_is_said_where_it_may_have_arrived(admin, message, text):
    ended(message, "unknown")
    assert "This person may get it twice." in text(admin.get(url(message.tracking_id, "resend")))


@pytest.mark.parametrize("status", ["delivered", "sent", "sending", "queued", "scheduled"])
def test_what_has_arrived_or_still_may_is_not_sent_anew(admin, message, text, status):
    ended(message, status)
    assert "is not sent anew" in text(admin.post(url(message.tracking_id, "resend"), follow=True))
    assert Message.objects.count() == 1
    assert not entries("message.resent")


def test_whoever_wants_nothing_more_gets_nothing_by_a_resend_either(admin, message, manage):
    ended(message, "failed")
    manage("suppression", "add", "shop", NUMBER)
    admin.post(url(message.tracking_id, "resend"))
    assert Message.objects.order_by("id").last().status == "rejected"


def test_what_is_no_longer_kept_is_found_by_its_number_shown_as_such_and_never_sent_anew(admin, message, text):
    ended(message, "failed")
    with hot_cursor() as cursor:
        cursor.execute("UPDATE messages SET recipient = %s, text = '' WHERE id = %s", (pseudonym(NUMBER), message.tracking_id))
    assert listed(admin.get(LIST, {"q": NUMBER})) == [message.tracking_id]
    shown = text(admin.get(url(message.tracking_id)))
    assert "no longer kept" in shown
    assert "Send anew" not in shown
    assert "no longer kept" in text(admin.post(url(message.tracking_id, "resend"), follow=True))
    assert Message.objects.count() == 1


@pytest.mark.parametrize(("what", "allowed"), [("cancel", {Role.OPERATOR, Role.ADMIN}), ("resend", {Role.OPERATOR, Role.ADMIN})])
@pytest.mark.parametrize("role", Role)
def test_only_who_may_can_cancel_and_resend(login, message, role, what, allowed):
    ended(message, "queued" if what == "cancel" else "failed")
    browser = login(role)
    expected = (200, 302) if role in allowed else (403, 403)
    assert (browser.get(url(message.tracking_id, what)).status_code, browser.post(url(message.tracking_id, what)).status_code) == expected


def table(answer):
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


def test_the_list_is_exported_as_it_is_filtered_masked_and_written_down(login, message, stored, client):
    operator = login(Role.OPERATOR)
    ended(stored(to="+447911123999", reference="=cmd()"), "failed")
    rows = table(operator.post(f"{LIST}export/?status=failed"))
    assert [(row["to"], row["client"], row["status"], row["reference"]) for row in rows] == [("+44791***3999", "shop", "failed", "'=cmd()")]
    assert "text" not in rows[0]
    whole = table(operator.post(f"{LIST}export/?q=%2B447911123999", {"whole": "1"}))
    assert [row["to"] for row in whole] == ["+447911123999"]
    first, second = entries("messages.exported")
    assert first.changes == {"whole_numbers": False, "status": "failed"}
    assert second.changes == {"whole_numbers": True, "searched_for": "+44791***3999"}


def test_a_viewer_exports_nothing(login, message):
    assert login(Role.VIEWER).post(f"{LIST}export/").status_code == 403
