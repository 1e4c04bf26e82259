"""A browser page that tells everything that went wrong on it: errors in the console, broken policies, requests that leave the machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import axe_playwright_python
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Route

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text()
#: https://www.deque.com/axe/core-documentation/api-documentation/#axecore-tags
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
WIDE = {"width": 1360, "height": 900}
NARROW = {"width": 390, "height": 844}
_AUDIT = """
async rules => (await axe.run(document, {runOnly: {type: 'tag', values: rules}, resultTypes: ['violations']})).violations.flatMap(
    v => v.nodes.map(n => `${v.id}: ${n.target.join(' ')}: ${(n.any.concat(n.all, n.none)[0] || {}).message || v.help}: ${n.html.slice(0, 160)}`)
)
"""


@dataclass
class Watched:
    """One browser window on the console."""

    base: str
    context: BrowserContext
    page: Page
    wrong: list[str] = field(default_factory=list)
    #: Answers that a test provokes: the browser reports them as errors.
    expected: set[int] = field(default_factory=set)

    def open(self, path: str) -> Page:
        """A page of the console that is there, settled."""
        answer = self.page.goto(self.base + path, wait_until="load")
        assert answer is not None
        assert answer.status < 400 or answer.status in self.expected, f"{path}: {answer.status}"
        self.settled()
        return self.page

    def settled(self) -> None:
        """Scripts have run, and nothing moves any more: colours in the middle of a transition are nobody's."""
        self.page.wait_for_load_state("load")
        self.page.wait_for_function("() => !window.Alpine || document.querySelectorAll('[x-cloak]').length === 0")
        self.page.evaluate("() => Promise.allSettled(document.getAnimations().map(a => a.finished))")

    def audit(self) -> list[str]:
        """What WCAG 2 A and AA find on the page as it is, one line each."""
        self.settled()
        # Evaluated by the debugger, so that the page's own policy stays as it is.
        self.page.evaluate(AXE)
        found: list[str] = self.page.evaluate(_AUDIT, list(RULES))
        return found

    def narrow(self) -> None:
        self.page.set_viewport_size(NARROW)

    def overflows(self) -> int:
        """By how many pixels the page is wider than its window."""
        return int(self.page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@contextmanager
def watched(browser: Browser, base: str, **options: Any) -> Iterator[Watched]:
    """A window of its own; raises `AssertionError` at the end for whatever went wrong in it."""
    context = browser.new_context(viewport=WIDE, locale="en-GB", timezone_id="UTC", **options)
    seen = Watched(base=base, context=context, page=context.new_page())
    here = urlsplit(base).netloc

    def guard(route: Route) -> None:
        address = urlsplit(route.request.url)
        if address.scheme in {"http", "https", "ws", "wss"} and address.netloc != here:
            seen.wrong.append(f"it asked for {route.request.url}")
            route.abort()
        else:
            route.continue_()

    def said(message: ConsoleMessage) -> None:
        refused = any(f"status of {status}" in message.text for status in seen.expected)
        if message.type in {"error", "warning"} and not refused:
            seen.wrong.append(f"{message.type} on {seen.page.url}: {message.text}")

    context.route("**/*", guard)
    context.on("console", said)
    context.on("weberror", lambda error: seen.wrong.append(f"exception on {seen.page.url}: {error.error}"))
    try:
        yield seen
    finally:
        context.close()
    assert not seen.wrong, "\n".join(seen.wrong)
