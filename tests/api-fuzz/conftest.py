"""Both servers' documents and a key of our own; `./smsgw test api-fuzz` brings the system up and names it in the environment."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from system import System, opened, until


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    with opened("api-fuzz") as found:
        yield found


@pytest.fixture(scope="session")
def documents(system: System) -> dict[str, str]:
    """Where the OpenAPI documents are."""
    return {"gateway": f"{system.gateway}/openapi.json", "history": f"{system.console}/v1/history/openapi.json"}


@pytest.fixture(scope="session")
def test_key(system: System) -> str:
    """A test key without limits: whatever is made up, it goes to nobody."""
    client = f"fuzz-{uuid4().hex[:8]}"
    system.manage("client", "add", client, "--default-sender=FUZZ")
    key = str(system.manage("key", "add", client, "--mode=test")["key"])
    headers = {"API-Key": key}
    until(lambda: system.http.get(f"{system.gateway}/v1/account", headers=headers).status_code == 200, what="the key known to the gateway")
    return key
