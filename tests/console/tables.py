"""Lists, as somebody uses them: tick a row, choose what to do, do it."""

from playwright.sync_api import Locator
from watched import Watched


def tick_and_do(here: Watched, row: str | Locator, what: str) -> None:
    """An action on the one row, or on the one that says so."""
    page = here.page
    chosen = page.get_by_role("row", name=row) if isinstance(row, str) else row
    chosen.locator("input.action-select").check()
    page.locator("select[name=action]").select_option(label=what)
    found = here.audit()
    assert found == [], "\n".join(found)
    page.get_by_role("button", name="Run").click()
    page.wait_for_load_state()
