"""Both servers' documents and a key of our own; `./smsgw test api-fuzz` brings the system up and names it in the environment."""

import os
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
from system import System, until


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    if "E2E_GATEWAY_URL" not in os.environ:
        raise pytest.UsageError("No system to test: run these tests by ./smsgw test api-fuzz")
    with httpx.Client(timeout=10) as http:
        yield System(
            gateway=os.environ["E2E_GATEWAY_URL"],
            console=os.environ["E2E_CONSOLE_URL"],
            simulator=os.environ["E2E_SIMULATOR_URL"],
            http=http,
        )


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
