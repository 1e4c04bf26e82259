"""More of a day's operations, in a browser: looking for messages, webhooks, what is parked, providers, lists of numbers, the trail."""

import csv
import json
import re
from uuid import uuid4

import pytest
from broker import publish
from playwright.sync_api import expect
from stage import NUMBERS, TEXT
from system import until
from tables import tick_and_do

from sms_contract import topology

pytestmark = pytest.mark.usefixtures("stage")
_MESSAGES = "/console/sms_messages/message/"


@pytest.mark.parametrize("by", ["reference", "tracking id"])
def test_a_message_is_found_by_what_its_client_knows(window, stage, by):
    page = window("viewer").open(_MESSAGES)
    page.locator("#searchbar").fill("order-5" if by == "reference" else stage.delivered[5])
    page.keyboard.press("Enter")
    page.wait_for_url("**q=*")
    found = [link.get_attribute("href") or "" for link in page.locator("#result_list tbody th a").all()]
    assert sum(stage.delivered[5] in address for address in found) == 1
    assert not any(other in address for other in stage.delivered[:5] for address in found)


def test_messages_are_filtered_by_status_and_provider(window, stage):
    here = window("viewer")
    page = here.open(_MESSAGES)
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("link", name="failed", exact=True).click()
    page.wait_for_url("**status=failed**")
    here.settled()
    assert here.audit() == []
    assert set(page.locator("#result_list .field-state").all_inner_texts()) <= {"failed", "FAILED"}
    assert stage.failed in page.content()
    page = here.open(f"{_MESSAGES}?status=delivered&provider=northwind")
    assert page.locator("#result_list tbody tr").count() >= len(NUMBERS)
    assert stage.failed not in page.content()


def test_a_client_shows_what_it_has_used_today_and_is_let_go_on(window, stage):
    here = window("operator")
    page = here.open("/console/accounts/client/?q=acme")
    used = int(re.search(r"([\d,]+) of 50,000", page.locator("#result_list").inner_text())[1].replace(",", ""))
    assert used >= len(NUMBERS)
    page.get_by_role("link", name="acme").click()
    expect(page.get_by_text(re.compile(r"Segments on \d{4}-\d\d-\d\d"))).to_contain_text("of 50,000")
    page.get_by_role("button", name="Suspend").click()
    expect(page.get_by_text("acme is suspended.")).to_be_visible()
    until(lambda: stage.sender.send(NUMBERS[0], text=TEXT).status_code == 403, what="its messages refused")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Suspend")).to_be_visible()
    until(lambda: stage.sender.send(NUMBERS[0], text=TEXT).status_code == 202, what="its messages taken again")


def test_a_delivery_tells_its_tries_and_is_sent_again(window, stage):
    stage.sender.final(stage.sender.send(NUMBERS[2], text=TEXT, providers=[stage.good.slug]).json()["tracking_id"])
    here = window("operator")
    page = here.open("/console/sms_messages/webhookdelivery/")
    until(lambda: _tried(here.open("/console/sms_messages/webhookdelivery/")), seconds=60, what="a webhook tried")
    row = page.locator("#result_list tbody tr").filter(has_not=page.locator(".field-tries", has_text=re.compile(r"^0$"))).last
    name = row.locator("th a").inner_text()
    row.locator("th a").click()
    expect(page.get_by_role("main")).to_contain_text(re.compile(r"\d\d:\d\d:\d\d UTC, \d+ ms: \w+"))
    assert here.audit() == []
    here.open("/console/sms_messages/webhookdelivery/")
    tick_and_do(here, name, "Deliver again")
    expect(page.get_by_text(re.compile(r"\d+ will be delivered again"))).to_be_visible()


def _tried(page):
    return [text for text in page.locator("#result_list .field-tries").all_inner_texts() if text.strip() != "0"]


def test_what_was_parked_is_read_put_back_and_given_up(window, system):
    name = uuid4().hex
    publish(system, topology.SUBMISSIONS, b'{"what": "no envelope"}', message_id=name)
    here = window("operator")
    page = here.page
    rows = page.locator("#result_list tbody tr")
    until(lambda: here.open("/console/sms_messages/parked/") and rows.count() > 0, what="it parked")
    rows.first.locator("th a").click()
    assert "no envelope" not in page.content()
    page.get_by_role("button", name="Show it").click()
    expect(page.get_by_text("no envelope")).to_be_visible()
    assert here.audit() == []
    first = rows.first
    here.open("/console/sms_messages/parked/")
    tick_and_do(here, first, "Put back into its queue")
    expect(page.get_by_text("1 put back.")).to_be_visible()
    # Nothing was mended: it is parked again, once, and is given up.
    until(
        lambda: here.open("/console/sms_messages/parked/") and first.locator(".field-replayed_at").inner_text().strip() == "-",
        what="it back",
    )
    tick_and_do(here, first, "Give up, for good")
    expect(page.get_by_text("1 given up.")).to_be_visible()
    trail = window("admin").open("/console/console/auditentry/").locator("#result_list").inner_text()
    assert all(action in trail for action in ("parked.revealed", "parked.replayed", "parked.dropped"))


def test_a_provider_that_is_ill_is_shown_and_put_right(window, system, stage):
    slug = f"ill-{uuid4().hex[:6]}"
    config = {"account_sid": "AC0", "auth_token": "wrong", "base_url": system.simulator}
    system.manage("provider", "add", slug, "--adapter=twilio", "--priority=0", "--throughput=7", "--config=-", feed=json.dumps(config))
    until(lambda: slug in stage.sender.look().json()["providers"], what="the provider known to the gateway")
    # Its account is unknown to the vendor: one answer that says so takes it out.
    stage.sender.send(NUMBERS[4], text=TEXT, providers=[slug], validity_period=60)
    here = window("operator")
    until(
        lambda: "open" in here.open(f"/console/routing/provider/{slug}/change/").locator("section", has_text="Circuit").inner_text(),
        what="it taken out",
    )
    page = here.page
    expect(page.locator("section", has_text="Circuit")).to_contain_text("limit 7.0 segments a second")
    assert here.audit() == []
    here.open("/console/")
    until(lambda: slug in here.open("/console/").locator("#figures").inner_text(), what="the overview to say so")
    here.open("/console/routing/provider/")
    tick_and_do(here, slug, "Disable: take out of selection")
    expect(page.get_by_role("row", name=slug).locator(".field-state")).to_have_text(re.compile("off", re.IGNORECASE))
    tick_and_do(here, slug, "Enable: put into selection")
    expect(page.get_by_role("row", name=slug).locator(".field-state")).to_have_text(re.compile("active", re.IGNORECASE))
    tick_and_do(here, slug, "Disable: take out of selection")


def test_one_provider_alone_is_held_and_let_go_on(window):
    here = window("operator")
    page = here.open("/console/pauses/")
    page.get_by_label("Provider").select_option("contoso")
    page.get_by_role("button", name="Hold").click()
    row = page.get_by_role("region", name="Held now").get_by_role("row", name="contoso")
    expect(row).to_contain_text(" UTC")
    row.get_by_role("button", name="Let go on").click()
    expect(row).to_have_count(0)


def test_a_list_of_numbers_is_read_in_whole_or_not_at_all_and_written_out(window, tmp_path):
    here = window("operator")
    page = here.open("/console/suppressions/")
    for lines, said in (
        ("number,sender\n+447700900180,\nnonsense,\n", re.compile("line 3|nonsense")),
        ("number,sender\n+447700900180,\n", re.compile("1 ")),
    ):
        file = tmp_path / "list.csv"
        file.write_text(lines)
        page.locator("#file-form select").select_option(label="acme")
        page.locator("#id_file").set_input_files(file)
        page.get_by_role("button", name="Import").click()
        expect(page.get_by_text(said).first).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export all, with numbers in full").click()
    download.value.save_as(tmp_path / "all.csv")
    assert "+447700900180" in {row["number"] for row in csv.DictReader((tmp_path / "all.csv").read_text().splitlines())}


def test_the_trail_says_who_did_what_and_only_admins_read_it(window, logins):
    operator = window("operator")
    operator.open("/console/pauses/").get_by_label("Traffic type").select_option("otp")
    operator.page.get_by_role("button", name="Hold").click()
    operator.page.get_by_role("region", name="Held now").get_by_role("row", name="otp").get_by_role("button", name="Let go on").click()
    here = window("admin")
    page = here.open("/console/console/auditentry/?q=sending.paused")
    row = page.locator("#result_list tbody tr").first
    expect(row).to_contain_text(logins["operator"].name)
    row.locator("th a").click()
    expect(page.get_by_role("main")).to_contain_text("sending.paused")
    assert here.audit() == []
    operator.expected.add(403)
    assert "Your role does not allow this" in operator.open("/console/console/auditentry/").content()
