"""Lists, as somebody uses them: tick a row, choose what to do, do it."""

from watched import Watched


def tick_and_do(here: Watched, row: str, what: str) -> None:
    """An action on the one row that says so."""
    page = here.page
    page.get_by_role("row", name=row).locator("input.action-select").check()
    page.locator("select[name=action]").select_option(label=what)
    found = here.audit()
    assert found == [], "\n".join(found)
    page.get_by_role("button", name="Run").click()
    page.wait_for_load_state()
