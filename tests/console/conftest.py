"""A browser, and a login of every role; `./smsgw test console` brings the system up and names it in the environment."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from logins import ROLES, Login, make_login, sign_in
from playwright.sync_api import Browser, StorageState, sync_playwright
from stage import Stage, prepare
from system import System, opened
from watched import Watched, watched

#: Nothing that speaks to anybody by itself.
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", action="store_true", help="write the pictures of the README anew, into docs/images")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The first test waits for the stage of all: a dozen commands, each a process of its own.
    for item in items:
        item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    with opened("console") as found:
        yield found


@pytest.fixture(scope="session")
def stage(system: System) -> Stage:
    """A client, providers and messages, so that no page is empty."""
    return prepare(system)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # What is installed as a package, not what playwright would download.
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", headless=True, args=_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def logins(system: System) -> dict[str, Login]:
    return {role: make_login(system, role) for role in ROLES}


@pytest.fixture(scope="session")
def sessions(system: System, browser: Browser, logins: dict[str, Login]) -> dict[str, StorageState]:
    """Cookies of each role, signed in once: signing in is throttled."""
    found: dict[str, StorageState] = {}
    for role, login in logins.items():
        with watched(browser, system.console) as window:
            sign_in(window, login)
            found[role] = window.context.storage_state()
    return found


@pytest.fixture
def window(system: System, browser: Browser, sessions: dict[str, StorageState]) -> Iterator[Callable[..., Watched]]:
    """`window("viewer", color_scheme="dark")`: one that is signed in; `window(None)`: one that is not. What goes wrong in it fails the test."""
    with ExitStack() as stack:

        def make(role: str | None = "admin", **options: Any) -> Watched:
            state = {} if role is None else {"storage_state": sessions[role]}
            return stack.enter_context(watched(browser, system.console, **state, **options))

        yield make


@pytest.fixture
def pictures(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where pictures go: the README's folder when they are asked for."""
    return request.config.rootpath / "docs" / "images" if request.config.getoption("--pictures") else tmp_path
