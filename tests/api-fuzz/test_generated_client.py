"""A client that a public generator makes from the document sends a message, and sees it delivered."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from uuid import uuid4

import httpx
import pytest
from system import ROOT, until

from sms_stack.bootstrap import find_uv

#: Not among our dependencies, whose versions it does not go with: it gets an environment of its own.
GENERATOR = "openapi-python-client==0.29.1"


@pytest.fixture(scope="module")
def made(documents, tmp_path_factory) -> ModuleType:
    folder: Path = tmp_path_factory.mktemp("generated")
    (folder / "openapi.json").write_bytes(httpx.get(documents["gateway"]).content)
    uv = find_uv(ROOT / "var" / "tools")
    assert uv is not None
    command = [uv, "tool", "run", "--from", GENERATOR, "openapi-python-client", "generate"]
    subprocess.run(
        [*command, "--path", "openapi.json", "--meta", "none", "--output-path", "sms_client"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    location = folder / "sms_client" / "__init__.py"
    spec = importlib.util.spec_from_file_location("sms_client", location, submodule_search_locations=[str(location.parent)])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["sms_client"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.timeout(300)
def test_a_generated_client_sends_a_message(system, made, test_key) -> None:
    send, read = (importlib.import_module(f"sms_client.api.messages.{name}") for name in ("send_message", "read_message"))
    models = importlib.import_module("sms_client.models")
    with made.AuthenticatedClient(base_url=system.gateway, token=test_key, prefix="", auth_header_name="API-Key") as client:
        key = uuid4().hex
        wish = models.SendMessage(to="+15005550006", text="Hello from a client that nobody wrote", reference="generated")
        first, again = (send.sync_detailed(client=client, body=wish, idempotency_key=key) for _ in range(2))
        assert [answer.status_code for answer in (first, again)] == [202, 202]
        assert (first.parsed.status.value, first.parsed.reference) == ("accepted", "generated")
        assert again.headers["idempotent-replayed"] == "true"
        assert again.parsed == first.parsed

        def delivered() -> bool:
            seen = read.sync(client=client, tracking_id=first.parsed.tracking_id)
            return seen is not None and seen.status.value == "delivered"

        until(delivered, what="the message delivered")
        refused = send.sync_detailed(client=client, body=models.SendMessage(to="nobody", text="x"))
        assert (refused.status_code, refused.parsed.code) == (422, "recipient.invalid_number")
