"""A day's operations as somebody does them, in a browser."""

import re
from uuid import uuid4

import pytest
from playwright.sync_api import expect
from stage import NUMBERS, SUPPRESSED
from system import until

pytestmark = pytest.mark.usefixtures("stage")


def test_the_overview_adds_up_and_refreshes_by_itself(window, stage):
    here = window("viewer")
    page = here.open("/console/?span=1h")
    until(lambda: "Delivery rate" in here.open("/console/?span=1h").inner_text("#figures"), what="figures")
    told = page.inner_text("#figures")
    assert "northwind" in told
    assert "GB" in told
    before = page.locator("#figures time").inner_text()
    page.get_by_text("The same as a table").click()
    page.locator("body").focus()
    page.evaluate("document.activeElement.blur()")
    expect(page.locator("#figures time")).not_to_have_text(before, timeout=30_000)
    expect(page.get_by_role("region", name="Messages by status as a table")).to_be_visible()


def test_the_overview_says_so_when_its_figures_are_old(window):
    here = window("viewer")
    here.expected.add(503)
    page = here.open("/console/")
    expect(page.locator("#stale")).to_be_hidden()
    page.context.route("**/console/figures/**", lambda route: route.fulfill(status=503, body=""))
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#stale")).to_be_visible()
    assert here.audit() == []
    page.context.unroute("**/console/figures/**")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#stale")).to_be_hidden()


def test_the_overview_rests_while_nobody_looks(window):
    here = window("viewer")
    page = here.open("/console/")
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/figures/" in request.url else None)
    # A tab in the background, as the page is told of it.
    page.evaluate("Object.defineProperty(document, 'hidden', {configurable: true, get: () => true})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(500)
    assert asked == []
    page.evaluate("Object.defineProperty(document, 'hidden', {configurable: true, get: () => false})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    until(lambda: page.evaluate("1") and asked, what="the figures asked for")
    page.get_by_label("Refresh by itself").uncheck()
    asked.clear()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(500)
    assert asked == []


def test_sending_is_held_and_let_go_on(window):
    here = window("operator")
    page = here.open("/console/pauses/")
    page.get_by_label("Traffic type").select_option("promotional")
    page.get_by_role("button", name="Hold").click()
    expect(page.get_by_role("status").filter(has_text="Sending is held back")).to_contain_text("promotional")
    here.open("/console/routing/provider/")
    assert here.audit() == []
    page.get_by_role("link", name="Look, and let go on").click()
    page.get_by_role("button", name="Let go on").click()
    expect(page.get_by_text("Nothing is held")).to_be_visible()
    expect(page.get_by_text("Sending is held back")).to_have_count(0)


def test_a_viewer_is_offered_nothing_that_changes_anything(window):
    here = window("viewer")
    page = here.open("/console/pauses/")
    assert page.locator("#content button[type=submit]").count() == 0
    page = here.open("/console/suppressions/")
    assert [button.inner_text() for button in page.locator("#content button").all()] == ["Find"]
    page = here.open("/console/routing/provider/northwind/change/")
    assert page.get_by_role("button", name="Send a test message").count() == 0
    assert "/v1/callbacks/" not in page.content()


def test_a_route_is_explained(window):
    here = window("viewer")
    page = here.open("/console/routes/")
    page.get_by_label("Client").select_option(label="acme")
    page.locator("#id_to").fill(NUMBERS[0])
    page.get_by_role("button", name="Explain").click()
    way = page.get_by_role("region", name="Its way now")
    expect(way.first).to_contain_text("northwind")
    assert NUMBERS[0].lstrip("+") not in page.url
    assert here.audit() == []


def test_a_number_is_found_on_the_list_and_another_added_and_removed(window):
    here = window("operator")
    page = here.open("/console/suppressions/")
    page.locator("#id_client").select_option(label="acme")
    page.locator("#id_number").fill(SUPPRESSED)
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("heading", name="Found")).to_be_visible()
    assert SUPPRESSED not in page.get_by_role("region", name="Listed").first.inner_text()
    number = "+447700900198"
    for button, said in (("Send nothing to it", "Nothing goes there any more."), ("Send to it again", "1 removed.")):
        page.locator("#id_client").select_option(label="acme")
        page.locator("#id_number").fill(number)
        page.get_by_role("button", name=button).click()
        expect(page.get_by_text(said)).to_be_visible()


def test_a_test_message_says_what_the_provider_answers(window, system, stage):
    here = window("operator")
    page = here.open("/console/routing/provider/northwind/change/")
    page.locator("#trial_to").fill(NUMBERS[0])
    page.locator("#trial_sender").fill("ACME")
    page.get_by_role("button", name="Send a test message").click()
    expect(page.get_by_text(re.compile("northwind: accepted"))).to_be_visible()
    assert here.audit() == []


def test_a_provider_is_configured_by_its_form_and_its_secret_never_shown(window, system):
    here = window("admin")
    slug = f"fabrikam-{uuid4().hex[:6]}"
    page = here.open("/console/routing/provider/add/?adapter=twilio")
    page.locator("#id_slug").fill(slug)
    page.locator("#id_config_account_sid").fill("AC0123")
    page.locator("#id_config_auth_token").fill("swordfish")
    page.locator("#id_config_base_url").fill(system.simulator)
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/routing/provider/")
    page = here.open(f"/console/routing/provider/{slug}/change/")
    assert page.locator("#id_config_account_sid").input_value() == "AC0123"
    assert page.locator("#id_config_auth_token").input_value() == ""
    assert "swordfish" not in page.content()
    system.manage("provider", "disable", slug)


def test_a_webhook_is_added_its_secret_shown_once_and_what_it_missed_replayed(window):
    here = window("admin")
    page = here.open("/console/accounts/webhookendpoint/add/")
    page.locator("#id_client").select_option(label="acme")
    page.locator("#id_url").fill("https://hooks.example.com/second")
    page.get_by_role("button", name="Save", exact=True).click()
    secret = page.locator("#issued-secret").inner_text()
    assert secret.startswith("whsec_")
    assert here.audit() == []
    page.get_by_role("link", name="I have it").click()
    assert secret not in page.content()
    page.get_by_role("row", name=re.compile("second")).get_by_role("link").first.click()
    page.get_by_role("button", name="Deliver again").click()
    expect(page.get_by_text(re.compile(r"\d+ will be delivered again")).first).to_be_visible()
    assert here.audit() == []
