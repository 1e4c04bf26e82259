"""The system with two gateways and a collector; `./smsgw test tracing` brings it up and names it in the environment."""

import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from receiver import Received, listening
from system import Provider, Sender, System, opened, until


@pytest.fixture(scope="session")
def port() -> int:
    return urlsplit(os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]).port or 0


@pytest.fixture(scope="session")
def received() -> Received:
    return Received()


@pytest.fixture
def collector(port: int, received: Received) -> Iterator[Received]:
    with listening(port, received):
        yield received


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    with opened("tracing") as found:
        yield found


@pytest.fixture(scope="session")
def good(system: System) -> Provider:
    return system.add_provider(reports={"statuses": [{"status": "delivered", "delay": 0.05}]})


@pytest.fixture(scope="session")
def busy(system: System) -> Provider:
    return system.add_provider(rules=[{"action": "refuse", "http_status": 429, "code": 20429}])


@pytest.fixture(scope="session")
def shop(system: System, good: Provider, busy: Provider) -> Sender:
    made = system.add_sender("--default-sender=TRACE")
    until(lambda: {good.slug, busy.slug} <= set(made.account()["providers"]), seconds=10, what="client and providers known")
    return made
