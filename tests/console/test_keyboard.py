"""Without a mouse."""

import pytest

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
