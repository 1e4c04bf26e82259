"""Without a mouse."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.usefixtures("stage")


def test_what_has_the_focus_can_be_seen(window):
    here = window("admin")
    page = here.open("/console/routing/provider/")
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate(
                """() => {
                const e = document.activeElement, s = getComputedStyle(e);
                return [e.tagName, e.textContent.trim().slice(0, 30), s.outlineStyle !== 'none' && s.outlineWidth !== '0px' || s.boxShadow !== 'none']
                }"""
            )
        )
    assert all(visible for tag, _, visible in seen if tag != "BODY"), seen


def test_filters_are_opened_used_and_closed(window):
    page = window("viewer").open("/console/sms_messages/message/")
    button = page.get_by_role("button", name="Filters")
    button.focus()
    for _ in range(5):
        page.keyboard.press("Enter")
        page.wait_for_function("() => document.activeElement.closest('#changelist-filter')")
        page.keyboard.press("Escape")
        expect(page.locator("#changelist-filter")).to_be_hidden()
        expect(button).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="failed", exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**status=failed**")


def test_the_menu_is_opened_and_closed_on_a_phone(window):
    here = window("viewer")
    here.narrow()
    page = here.open("/console/")
    link = page.get_by_role("link", name="Suppression list")
    expect(link).to_be_hidden()
    page.get_by_role("button", name="Menu", exact=True).focus()
    page.keyboard.press("Enter")
    expect(link).to_be_in_viewport()
    assert here.audit() == []
    page.get_by_role("button", name="Close the menu").focus()
    page.keyboard.press("Enter")
    expect(link).not_to_be_in_viewport()


def test_an_icon_is_no_part_of_a_name(window):
    page = window("viewer").open("/console/sms_messages/message/")
    expect(page.get_by_role("link", name="Overview", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Filters", exact=True)).to_be_visible()
