"""The system with two of each process; `./smsgw test scale` brings it up and names it in the environment."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from system import Provider, Sender, System, opened, until


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    with opened("scale", timeout=30) as found:
        yield found


@pytest.fixture(scope="session", autouse=True)
def said_by_postgresql() -> Callable[[], str]:
    """What its log has had to say since the tests began."""
    log = Path(os.environ["SMSGW_HOME"]) / "log" / "postgresql.log"
    before = log.stat().st_size

    def since() -> str:
        with log.open() as file:
            file.seek(before)
            return file.read()

    return since


@pytest.fixture(scope="module")
def vendor(system: System) -> Provider:
    """An account that takes everything and reports it delivered."""
    made = Provider(slug=f"scale-{uuid4().hex[:8]}", account_sid=f"AC{uuid4().hex}", auth_token=uuid4().hex)
    system.behave(made, reports={"statuses": [{"status": "delivered", "delay": 0.05}]})
    config = {"account_sid": made.account_sid, "auth_token": made.auth_token, "base_url": system.simulator}
    system.manage("provider", "add", made.slug, "--adapter=twilio", "--config=-", feed=json.dumps(config))
    return made


@pytest.fixture(scope="module")
def senders(system: System, vendor: Provider) -> list[Sender]:
    """Some clients, known to every gateway process."""
    made = []
    for _ in range(3):
        name = f"scale-{uuid4().hex[:8]}"
        client = system.manage("client", "add", name, "--default-sender=SCALE")
        sender = Sender(system=system, name=name, id=client["id"], key=system.manage("key", "add", name)["key"])
        until(lambda sender=sender: vendor.slug in sender.account()["providers"], seconds=10, what="client and provider known")
        made.append(sender)
    return made
