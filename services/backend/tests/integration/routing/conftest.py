"""A vendor without a network, in four makes: what each account answers is said by the test, what it got is in its ledger."""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any

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
