"""Messages, clients and keys, as somebody at a desk does it."""

import csv
import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from stage import NUMBERS, TEXT
from system import until

_LIST = "/console/sms_messages/message/"
_MASKED = f"{NUMBERS[0][:6]}***{NUMBERS[0][-4:]}"


def test_a_message_is_found_by_its_number_and_told(window, stage):
    here = window("operator")
    page = here.open(_LIST)
    page.get_by_role("searchbox").or_(page.locator("#searchbar")).first.fill(NUMBERS[3])
    page.keyboard.press("Enter")
    page.wait_for_url("**q=%2B*")
    assert page.locator("#result_list tbody tr").count() >= 1
    page.locator("#result_list tbody tr th a").first.click()
    page.wait_for_url("**/change/**")
    assert "Chosen because" in page.locator("#timeline").inner_text()
    assert here.audit() == []


def test_number_and_text_are_shown_to_an_operator_who_asks_and_not_to_a_viewer(window, stage):
    viewer = window("viewer").open(f"{_LIST}{stage.delivered[0]}/change/")
    assert viewer.locator("#number").inner_text() == _MASKED
    assert viewer.get_by_role("button", name="Show number and text").count() == 0
    here = window("operator")
    page = here.open(f"{_LIST}{stage.delivered[0]}/change/")
    assert TEXT not in page.content()
    page.get_by_role("button", name="Show number and text").click()
    page.get_by_text(TEXT).wait_for()
    assert page.locator("#number").inner_text() == NUMBERS[0]
    trail = window("admin").open(f"/console/console/auditentry/?object_id={stage.delivered[0]}")
    assert "message.revealed" in trail.locator("#result_list").inner_text()


def test_what_failed_is_sent_anew_once_and_arrives_nowhere_twice(window, stage):
    here = window("operator")
    page = here.open(f"{_LIST}{stage.failed}/change/")
    # Sent anew by an earlier run in the same system, it says so.
    if page.get_by_role("link", name="Send anew").count():
        page.get_by_role("link", name="Send anew").click()
        assert "it has not arrived" in page.locator("#risk").inner_text()
        assert here.audit() == []
        page.get_by_role("button", name="Send a new message").click()
        page.get_by_text("It stands for").wait_for()
        page = here.open(f"{_LIST}{stage.failed}/change/")
    page.get_by_text("It was sent anew as").wait_for()
    assert page.get_by_role("link", name="Send anew").count() == 0


def test_a_message_for_later_is_canceled(window, stage):
    tracking_id = stage.sender.send(NUMBERS[1], text=TEXT, send_at=_soon()).json()["tracking_id"]
    until(lambda: stage.sender.get(tracking_id).json()["status"] == "scheduled", what="the message stored")
    here = window("operator")
    page = here.open(f"{_LIST}{tracking_id}/change/")
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("button", name="Cancel it").click()
    page.get_by_text("Canceled.", exact=True).wait_for()


def test_the_list_is_exported_masked(window, stage, tmp_path):
    page = window("operator").open(f"{_LIST}?status=delivered")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export what is found as CSV").click()
    download.value.save_as(tmp_path / "messages.csv")
    rows = list(csv.DictReader((tmp_path / "messages.csv").read_text().splitlines()))
    assert rows
    assert all("***" in row["to"] and row["status"] == "delivered" for row in rows)


def test_a_client_is_taken_in_given_a_key_that_is_rotated_and_suspended(window, stage):
    here = window("admin")
    name = f"desk-{uuid4().hex[:6]}"
    page = here.open("/console/accounts/client/add/")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Daily quota").fill("1000")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name=name).first.click()
    page.get_by_text("It has no key, so it cannot send yet.").wait_for()
    assert here.audit() == []
    page.get_by_role("link", name="Issue a key").click()
    page.get_by_role("button", name="Save", exact=True).click()
    first = page.locator("#issued-key").inner_text()
    assert re.fullmatch(r"sgw_live_[a-z0-9]{12}_[0-9A-Za-z]{43}", first)
    page.get_by_role("link", name="I have it").click()
    assert first not in page.content()
    page.get_by_role("link", name=first.split("_")[2]).first.click()
    page.get_by_role("link", name="Rotate").click()
    assert here.audit() == []
    page.get_by_role("button", name="Issue the new key").click()
    assert page.locator("#issued-key").inner_text() != first
    page = here.open(f"/console/accounts/client/?q={name}")
    page.get_by_role("link", name=name).first.click()
    page.get_by_role("button", name="Suspend").click()
    page.get_by_text(f"{name} is suspended.").wait_for()


def _soon() -> str:
    return f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
