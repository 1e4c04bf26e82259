"""Fixtures over a running system; `./smsgw test e2e` brings it up and names it in the environment."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from system import Provider, Sender, System, opened, until
from xdist.scheduler import LoadScopeScheduling

#: They bring instances of their own, and may run beside the others, which take turns in the one that is there.
_ALONE = ("test_demo.py", "test_entry.py")


class Apart(LoadScopeScheduling):
    """A process for each file that brings an instance, and one for all others, in their order."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0].rpartition("/")[2]
        return file if file in _ALONE else "the instance"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Apart:
    return Apart(config, log)


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    with opened("e2e") as found:
        yield found


@pytest.fixture
def ready(system: System) -> Iterator[System]:
    """Whole before the test, and whole again after it, so that a fault stays where it was made."""
    until(system.is_ready, seconds=90, what="the system ready")
    yield system
    until(system.is_ready, seconds=90, what="the system ready again")


@pytest.fixture(scope="session")
def shared() -> dict[tuple[str, ...], Sender]:
    """Clients that tests have made: one is as good for the next test that asks for the same."""
    return {}


@pytest.fixture
def sender(ready: System, shared: dict[tuple[str, ...], Sender]) -> Callable[..., Sender]:
    """A client, made by the operator's commands; `fresh=True` for one that nobody else has used or will."""

    def make(*options: str, mode: str = "live", fresh: bool = False) -> Sender:
        if not fresh and (mode, *options) in shared:
            return shared[(mode, *options)]
        made = ready.add_sender("--default-sender=E2E", *options, mode=mode)
        # An operator's change is obeyed within five seconds.
        until(lambda: made.look().status_code == 200, seconds=5, what="the key known to the gateway")
        if not fresh:
            shared[(mode, *options)] = made
        return made

    return make


@pytest.fixture(scope="session")
def witness(system: System) -> Sender:
    """A client that only looks: what it is shown, the gateway knows."""
    return system.add_sender()


@pytest.fixture
def provider(ready: System, witness: Sender) -> Iterator[Callable[..., Provider]]:
    """A simulated provider made for one test; one with a priority is gone from routing after it."""
    prominent: list[Provider] = []

    def make(priority: int = 0, **behaviour: object) -> Provider:
        new = ready.add_provider(f"--priority={priority}", **behaviour)
        if priority:
            prominent.append(new)
        until(lambda: new.slug in witness.account()["providers"], seconds=5, what=f"{new.slug} known to the gateway")
        return new

    yield make
    for each in prominent:
        ready.manage("provider", "disable", each.slug)
