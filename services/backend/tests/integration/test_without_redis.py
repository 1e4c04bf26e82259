"""What an operator can still do while Redis is away: look at everything, and be told what is missing of what he changes."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.core.management.base import CommandError

from sms_backend.accounts.models import Client
from sms_backend.core.besteffort import BestEffort
from sms_backend.core.cache import cache
from sms_backend.core.crypto import seal
from sms_backend.routing.models import Pause, Provider
from sms_contract.envelope import Submission

Manage = Callable[..., Any]


@pytest.fixture
def alpha() -> Provider:
    return Provider.objects.create(slug="alpha", adapter="twilio", config=seal({"account_sid": "AC1", "auth_token": "hush"}))


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Redis goes away."""

    def go() -> None:
        # Nothing listens on this port.
        monkeypatch.setattr(cache, "connection_pool", redis.ConnectionPool(host="127.0.0.1", port=1, socket_connect_timeout=1))
        monkeypatch.setattr(BestEffort, "not_before", float("-inf"))

    return go


def test_what_is_there_is_shown(
    stored: Callable[..., Submission], client: Client, alpha: Provider, manage_json: Manage, manage: Manage, away: Callable[[], None]
) -> None:
    made = stored()
    away()
    assert manage_json("message", "show", made.tracking_id)["message"]["status"] == "queued"
    assert manage_json("message", "show", f" {made.tracking_id.upper()}")["message"]["tracking_id"] == made.tracking_id
    assert [each["name"] for each in manage_json("client", "list")] == [client.name]
    assert manage_json("client", "show", client.name)["id"] == client.id
    assert manage_json("key", "list", client.name) == []
    assert "alpha" in {each["slug"] for each in manage_json("provider", "list")}
    assert manage_json("provider", "show", "alpha")["slug"] == "alpha"
    assert manage_json("parked", "list") == []
    assert manage_json("webhook", "list", client.name) == []
    assert manage_json("suppression", "list") == []
    assert manage("suppression", "export") == "client,number,sender,source,created_at\n"
    explained = manage_json("route", "explain", "--client", client.name, "--to", "+447911123456")
    assert [each["provider"] for each in explained["tried"]] == ["alpha"]
    manage("check")


def test_a_change_is_kept_and_says_that_the_gateway_does_not_know_it(
    client: Client, test_provider: Provider, manage: Manage, manage_json: Manage, away: Callable[[], None]
) -> None:
    away()
    with pytest.raises(CommandError, match="saved in PostgreSQL, but Redis does not answer"):
        manage("client", "set", client.name, "--rate", "5")
    client.refresh_from_db()
    assert client.rate == 5
    # What is held needs nobody but workers.
    manage("pause", "--client", client.name)
    assert Pause.objects.get().client_id == client.id
    (held,) = manage_json("resume", "--provider", "test")["held"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", held["since"])


@pytest.mark.parametrize(
    "command",
    [
        ("key", "add", "shop"),
        ("recover", "--since", "2026-01-01T00:00:00Z"),
        ("projection", "rebuild", "--seconds", "0"),
    ],
)
def test_what_cannot_be_done_without_says_so_and_does_nothing(
    client: Client, manage: Manage, away: Callable[[], None], command: tuple[str, ...]
) -> None:
    away()
    with pytest.raises(CommandError, match="Redis does not answer") as refused:
        manage(*command)
    assert refused.value.returncode == 1
    assert not Pause.objects.exists()
