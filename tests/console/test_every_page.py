"""What holds on each page: it opens without errors, it can be used by everybody, and it fits a phone."""

import pytest
from pages import PAGES


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_used_by_everybody(window, stage, name, scheme):
    here = window("admin", color_scheme=scheme)
    here.open(PAGES[name])
    assert here.audit() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_way_in_can_be_used_by_everybody(window, scheme):
    here = window(None, color_scheme=scheme)
    here.open("/console/")
    assert here.audit() == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_phone(window, stage, name):
    here = window("admin")
    here.narrow()
    here.open(PAGES[name])
    assert here.overflows() <= 0
