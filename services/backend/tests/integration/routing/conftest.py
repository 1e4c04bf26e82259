"""A vendor without a network, in four makes: what each account answers is said by the test, what it got is in its ledger."""

import json
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from sms_backend.core.besteffort import BestEffort
from sms_backend.core.crypto import seal
from sms_backend.pipeline.adapters import adapters
from sms_backend.routing import selectors
from sms_backend.routing.models import Provider
from sms_providers.base import Provider as Adapter
from sms_providers.config import ProviderConfig
from sms_providers.errors import SendError
from sms_providers.registry import ADAPTERS
from sms_providers.types import Accepted, Capabilities, Exchange, OutboundSms, Receipt, Reports


class FakeConfig(ProviderConfig):
    """Nothing to configure."""


class Vendor:
    """All accounts of the fake vendor."""

    def __init__(self) -> None:
        self.answers: dict[str, deque[SendError | None]] = {}
        self.always: dict[str, SendError] = {}
        self.got: list[tuple[str, OutboundSms]] = []
        self.has: dict[str, Accepted | SendError] = {}  #: by reference, for look-ups
        self.looked_up: list[str] = []
        self.reports: dict[str, Receipt] = {}  #: by message id, for polls
        self.polled: list[Sequence[str]] = []

    def add(self, slug: str, adapter: str = "fake", **settings: Any) -> Provider:
        made = Provider.objects.create(slug=slug, adapter=adapter, config=seal({}), **settings)
        adapters.forget()
        selectors.forget()
        return made

    def says(self, slug: str, *answers: SendError | None) -> None:
        """The next answers of an account; afterwards it accepts."""
        self.answers[slug] = deque(answers)

    @property
    def calls(self) -> Counter[str]:
        return Counter(account for account, _ in self.got)

    def answer(self, account: str, sms: OutboundSms) -> Accepted:
        self.got.append((account, sms))
        queue = self.answers.get(account)
        error = queue.popleft() if queue else self.always.get(account)
        if error is not None:
            raise error
        return Accepted(message_id=f"{account}-{len(self.got)}")


VENDOR = Vendor()


class Fake(Adapter[FakeConfig]):
    """Pushes its reports, can do nothing else."""

    slug = "fake"
    title = "Fake"
    Config = FakeConfig
    capabilities = Capabilities()

    async def send(self, sms: OutboundSms, exchange: Exchange) -> Accepted:
        return VENDOR.answer(self.account, sms)

    async def look_up(self, reference: str, exchange: Exchange) -> Accepted | None:
        VENDOR.looked_up.append(reference)
        found = VENDOR.has.get(reference)
        if isinstance(found, SendError):
            raise found
        return found

    async def poll(self, message_ids: Sequence[str], exchange: Exchange) -> list[Receipt]:
        VENDOR.polled.append(message_ids)
        return [VENDOR.reports[each] for each in message_ids if each in VENDOR.reports]


class FindableFake(Fake):
    slug = "fake-findable"
    capabilities = Capabilities(look_up=True, client_reference=True)


class DeduplicatingFake(Fake):
    slug = "fake-deduplicating"
    capabilities = Capabilities(deduplicates=True, client_reference=True)


class PolledFake(Fake):
    slug = "fake-polled"
    capabilities = Capabilities(reports=Reports.POLLED, reports_per_poll=50)


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch, client: object) -> Vendor:
    for adapter in (Fake, FindableFake, DeduplicatingFake, PolledFake):
        monkeypatch.setitem(ADAPTERS, adapter.slug, adapter)
    # What one test learned of Redis is not for the next.
    monkeypatch.setattr(BestEffort, "not_before", float("-inf"))
    VENDOR.__init__()
    return VENDOR


@pytest.fixture
def live(stored: Callable[..., Any]) -> Callable[..., Any]:
    """A stored message of a live key."""
    return lambda **fields: stored(**({"mode": "live", "to": "+447911123456"} | fields))


class Simulator:
    """The process of simulated vendors, seen from outside."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, path: str, content: object = None) -> Any:
        body = None if content is None else json.dumps(content).encode()
        request = Request(f"{self.url}/control/{path}", data=body, method="GET" if body is None else "PUT")
        with urlopen(request, timeout=5) as answer:
            return json.load(answer)

    def behave(self, vendor: str, *, settings: dict[str, object] | None = None, **behaviour: object) -> None:
        usual: dict[str, object] = {"vendor": vendor, "auth_token": "the-key"}
        self.call("accounts/user", usual | (settings or {}) | {"behaviour": behaviour})

    def entries(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("ledger")["entries"]
        return found

    def sids(self) -> list[str]:
        return [entry["sid"] for entry in self.entries()]


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    command = [sys.executable, "-m", "sms_simulators", "--port", "0", "--ledger", str(tmp_path / "ledger.jsonl")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Simulator(process.stdout.readline().removeprefix("listening on ").strip())
        process.terminate()
