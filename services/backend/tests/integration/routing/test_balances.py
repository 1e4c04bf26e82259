"""What is left in an account: asked of the simulated vendor, kept, and told to operators in every way that there is."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from prometheus_client import CollectorRegistry

from sms_backend.console import users
from sms_backend.console.rights import Role
from sms_backend.core.operator import Error
from sms_backend.pipeline import upkeep
from sms_backend.pipeline.adapters import adapters
from sms_backend.routing import balances
from sms_backend.routing.gauges import Providers
from sms_backend.routing.models import Provider, ProviderBalance
from sms_backend.routing.services import add_provider, enable_provider, set_provider


@pytest.fixture
def account(ready: None, simulator: Any) -> Provider:
    tell(simulator, 12.5)
    config = {"account_sid": "AC1", "auth_token": "hush", "base_url": simulator.url}
    return add_provider("alpha", adapter="twilio", config=config, low_balance=20)


def tell(simulator: Any, balance: float | None, token: str = "hush") -> None:
    simulator.call("accounts/AC1", {"auth_token": token, "balance": balance})


def ask(*, later: bool = True) -> None:
    if later:
        ProviderBalance.objects.update(asked_at="2020-01-01T00:00:00Z")
    adapters.forget()
    upkeep.ask_balances()


def gauge(name: str, provider: str = "alpha") -> float | None:
    registry = CollectorRegistry()
    registry.register(Providers(database_answers=lambda: True))
    return registry.get_sample_value(name, {"provider": provider})


def test_it_is_asked_and_told_by_command_metric_and_page(account, manage, manage_json) -> None:
    assert manage_json("provider", "show", "alpha")["balance"]["amount"] is None
    ask()
    shown = manage_json("provider", "show", "alpha")
    told = shown["balance"]
    assert (told["amount"], told["currency"], told["low"], told["error"]) == ("12.5", "USD", True, None)
    assert (shown["low_balance"], told["told_at"] is not None) == (20.0, True)
    assert "12.5 USD, low" in manage("provider", "list")
    assert [gauge(f"smsgw_provider_{name}") for name in ("balance", "low_balance", "balance_unanswered")] == [12.5, 20.0, 0.0]
    assert gauge("smsgw_provider_balance_told_timestamp_seconds") == ProviderBalance.objects.get().told_at.timestamp()
    browser = Browser()
    browser.force_login(users.add_user("eve", role=Role.VIEWER, password="correct horse battery"))
    page = browser.get("/console/routing/provider/alpha/change/").content.decode()
    assert "<strong>Low: </strong>12.5 USD" in page


def test_it_is_low_only_below_the_limit(account, simulator, manage_json) -> None:
    for left, low in ((20.0, False), (19.9999, True), (-3.0, True)):
        tell(simulator, left)
        ask()
        assert manage_json("provider", "show", "alpha")["balance"]["low"] is low
    manage_json("provider", "set", "alpha", "--low-balance", "none")
    assert manage_json("provider", "show", "alpha")["balance"]["low"] is False
    assert gauge("smsgw_provider_low_balance") is None


def test_a_vendor_that_does_not_say_leaves_what_it_said_before(account, simulator, manage_json) -> None:
    ask()
    before = ProviderBalance.objects.get()
    tell(simulator, None)
    ask()
    shown = manage_json("provider", "show", "alpha")["balance"]
    assert (shown["amount"], shown["error"]) == ("12.5", "unknown: HTTP 500: Internal Server Error")
    assert ProviderBalance.objects.get().told_at == before.told_at
    assert [gauge(f"smsgw_provider_{name}") for name in ("balance", "balance_unanswered")] == [12.5, 1.0]
    tell(simulator, 7.0, token="another")
    ask()
    assert manage_json("provider", "show", "alpha")["balance"]["error"].startswith("misconfigured: ")
    assert manage_json("provider", "show", "alpha")["circuit"]["state"] == "closed"
    tell(simulator, 7.0)
    ask()
    assert manage_json("provider", "show", "alpha")["balance"] | {"told_at": 0, "asked_at": 0} == {
        "amount": "7",
        "currency": "USD",
        "low": True,
        "error": None,
        "told_at": 0,
        "asked_at": 0,
    }


def test_it_is_asked_every_ten_minutes_and_after_a_change(account, simulator) -> None:
    ask()
    tell(simulator, 3.0)
    ask(later=False)
    assert ProviderBalance.objects.get().amount == 12.5
    set_provider(account, priority=3)
    ask(later=False)
    assert ProviderBalance.objects.get().amount == 3
    tell(simulator, 2.0)
    row = ProviderBalance.objects.get()
    row.asked_at -= balances.EVERY + timedelta(seconds=1)
    Provider.objects.update(updated_at=row.asked_at - timedelta(days=1))
    row.save()
    ask(later=False)
    assert ProviderBalance.objects.get().amount == 2


def test_of_two_that_ask_at_once_one_does(account) -> None:
    assert [balances.take_due(["alpha"]), balances.take_due(["alpha"])] == [["alpha"], []]


def test_who_is_out_of_selection_or_cannot_tell_is_not_asked(account, simulator, manage, manage_json) -> None:
    kannel = {"username": "me", "password": "t", "base_url": simulator.url}
    beta = add_provider("beta", adapter="kannel", config=kannel)
    enable_provider(account, active=False)
    ask()
    assert not ProviderBalance.objects.exists()
    assert manage_json("provider", "show", "beta")["balance"] is None
    assert gauge("smsgw_provider_balance") is None
    with pytest.raises(Error, match="'kannel' cannot be asked what is left"):
        manage("provider", "set", beta.slug, "--low-balance", "5")
    assert Provider.objects.get(slug="beta").low_balance is None
