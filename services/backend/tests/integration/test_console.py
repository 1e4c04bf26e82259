"""The console, as a browser without scripts sees it, and the probes beside it."""

import re

import msgspec
import pytest
from django.contrib.auth.models import Permission, User
from django.db import OperationalError
from django.test import Client as Browser

from sms_backend.accounts.models import ApiKey, Client
from sms_backend.core import broker, health
from sms_backend.core.cache import cache
from sms_backend.core.crypto import unseal
from sms_backend.core.errors import UnreachableError
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.models import Parked
from sms_backend.routing.models import Provider
from sms_contract import keyspace

TWILIO = {"config_account_sid": "AC1", "config_auth_token": "hush-hush", "config_base_url": "http://127.0.0.1:9"}


@pytest.fixture
def browser(ready):
    found = Browser()
    found.force_login(User.objects.create_superuser("root", password=None))
    return found


@pytest.fixture
def clerk(ready):
    """Somebody who may look at messages and nothing else."""
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.add(*user_permissions("view_message"))
    found = Browser()
    found.force_login(user)
    return found


def user_permissions(*names):
    return Permission.objects.filter(codename__in=names)


def page(answer):
    assert answer.status_code == 200, (answer.status_code, answer.headers.get("Location"))
    return answer.content.decode()


def client_form(**changes):
    return {
        "name": "acme",
        "time_zone": "UTC",
        "daily_quota": "",
        "rate": "",
        "burst": "",
        "default_sender": "",
        "senders": "",
        "countries": "",
        "on_unknown": "resend",
        **changes,
    }


def provider_form(**changes):
    return {"slug": "alpha", "priority": "3", "weight": "1", "throughput": "", "countries": "", **TWILIO, **changes}


def test_the_root_leads_to_the_console_and_the_console_to_a_login():
    stranger = Browser()
    assert stranger.get("/")["Location"] == "/console/"
    assert stranger.get("/console/")["Location"].startswith("/console/login/")
    policy = stranger.get("/console/login/")["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "'unsafe-inline'" not in policy.split("style-src")[0]


PAGES = (
    "/console/",
    "/console/accounts/client/",
    "/console/accounts/client/add/",
    "/console/accounts/apikey/",
    "/console/accounts/apikey/add/",
    "/console/routing/provider/",
    "/console/routing/provider/add/",
    "/console/routing/provider/add/?adapter=twilio",
    "/console/sms_messages/message/",
    "/console/sms_messages/parked/",
    "/console/auth/user/",
    "/console/auth/user/add/",
)


def test_every_page_opens_without_inline_scripts_or_foreign_addresses(browser):
    for path in PAGES:
        html = page(browser.get(path))
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>", html), path
        assert not re.search(r'(?:src|href)="(?:https?:)?//', html), path


def test_a_client_saved_in_the_console_is_in_redis(browser):
    browser.post("/console/accounts/client/add/", client_form(rate="5", countries="gb,+1"))
    client = Client.objects.get(name="acme")
    record = msgspec.json.decode(cache.get(keyspace.client(client.id)), type=keyspace.ClientRecord)
    assert (record.rate, record.burst, record.countries, record.default_sender) == (5.0, 5, ["GB", "+1"], None)
    browser.post(f"/console/accounts/client/{client.id}/change/", client_form(rate="7"))
    record = msgspec.json.decode(cache.get(keyspace.client(client.id)), type=keyspace.ClientRecord)
    assert (record.rate, record.countries) == (7.0, [])
    browser.post("/console/accounts/client/", {"action": "suspend", "_selected_action": [client.id]})
    assert msgspec.json.decode(cache.get(keyspace.client(client.id)), type=keyspace.ClientRecord).suspended


def test_what_is_wrong_with_a_client_stands_beside_its_field(browser):
    html = page(browser.post("/console/accounts/client/add/", client_form(time_zone="Nowhere", countries="QQ", burst="3")))
    assert "is no time zone" in html
    assert "is no country" in html
    assert not Client.objects.exists()
    assert "it needs a rate" in page(browser.post("/console/accounts/client/add/", client_form(burst="3")))


def test_a_change_that_redis_does_not_have_yet_is_saved_and_said(browser):
    cache.delete(keyspace.MARKER)
    answer = browser.post("/console/accounts/client/add/", client_form(), follow=True)
    assert Client.objects.filter(name="acme").exists()
    assert "Redis is being rebuilt" in page(answer)


def test_a_key_is_shown_once_and_revoked_by_hand(browser, client):
    html = page(
        browser.post(
            "/console/accounts/apikey/add/",
            {"client": client.id, "mode": "test", "networks": "", "expires_at_0": "", "expires_at_1": "", "scopes": ["messages:send"]},
        )
    )
    key = ApiKey.objects.get()
    assert re.search(rf"sgw_test_{key.id}_[0-9A-Za-z]{{43}}", html)
    assert key.scopes == ["messages:send"]
    assert cache.exists(keyspace.api_key(key.id))
    assert not re.search(rf"sgw_test_{key.id}_\w", page(browser.get(f"/console/accounts/apikey/{key.id}/change/")))
    browser.post("/console/accounts/apikey/", {"action": "revoke", "_selected_action": [key.id]})
    assert not cache.exists(keyspace.api_key(key.id))


def test_a_provider_is_made_by_its_adapters_form_and_its_secret_is_never_shown(browser):
    add = "/console/routing/provider/add/?adapter=twilio"
    assert "Account SID" in page(browser.get(add))
    browser.post(add, provider_form())
    provider = Provider.objects.get(slug="alpha")
    assert unseal(provider.config) == {"account_sid": "AC1", "auth_token": "hush-hush", "base_url": "http://127.0.0.1:9"}
    assert b"alpha" in cache.get(keyspace.PROVIDERS)
    change = "/console/routing/provider/alpha/change/"
    html = page(browser.get(change))
    assert "AC1" in html
    assert "hush-hush" not in html


def test_an_empty_secret_stays_as_it_is_and_another_empty_field_goes(browser):
    browser.post("/console/routing/provider/add/?adapter=twilio", provider_form(config_messaging_service_sid="MG1"))
    browser.post(
        "/console/routing/provider/alpha/change/", provider_form(priority="8", config_auth_token="", config_messaging_service_sid="")
    )
    provider = Provider.objects.get(slug="alpha")
    assert provider.priority == 8
    assert unseal(provider.config) == {"account_sid": "AC1", "auth_token": "hush-hush", "base_url": "http://127.0.0.1:9"}


def test_what_is_wrong_with_a_configuration_stands_beside_its_field(browser):
    html = page(browser.post("/console/routing/provider/add/?adapter=twilio", provider_form(config_base_url="http://192.0.2.1")))
    assert "http is for loopback only" in html
    assert not Provider.objects.exists()
    browser.post("/console/routing/provider/add/?adapter=twilio", provider_form())
    browser.post("/console/routing/provider/", {"action": "disable", "_selected_action": ["alpha"]})
    assert not Provider.objects.get(slug="alpha").active


def test_the_test_provider_can_be_looked_at_and_not_changed(browser, test_provider):
    assert browser.get("/console/routing/provider/test/change/").status_code == 200
    assert browser.post("/console/routing/provider/test/change/", {"priority": "9", "weight": "1"}).status_code == 403


def test_parked_messages_are_read_and_put_back(browser, rabbitmq_url):
    broker.declare_topology()
    with broker.channel() as channel:
        channel.queue_purge("sms.submissions")  # of what other tests have left there
    row = Parked.objects.create(queue="sms.submissions", reason="not an envelope", body=b"{}", message_id="m#0")
    assert "not an envelope" in page(browser.get("/console/sms_messages/parked/"))
    browser.post("/console/sms_messages/parked/", {"action": "replay", "_selected_action": [row.pk]})
    row.refresh_from_db()
    assert row.replayed_at is not None
    with broker.channel() as channel:
        message = channel.basic_get("sms.submissions", no_ack=True)
    assert (message.body, message.properties["type"]) == (b"{}", "submission.v1")


def test_the_probes_say_what_answers_one_line_each(ready, rabbitmq_url, monkeypatch):
    stranger = Browser()
    assert stranger.get("/healthz").status_code == 200
    answer = stranger.get("/readyz")
    assert (answer.status_code, answer.content.decode()) == (200, "postgresql: ok\nredis: ok\nrabbitmq: ok\n")

    def away():
        raise UnreachableError("RabbitMQ does not answer (OSError)")

    monkeypatch.setattr(broker, "channel", away)
    monkeypatch.setattr(health._Broker, "good_at", float("-inf"))
    answer = stranger.get("/readyz")
    assert (answer.status_code, answer.content.decode().splitlines()[-1]) == (503, "rabbitmq: RabbitMQ does not answer (OSError)")


def test_metrics_tell_what_waits(client, stored, monkeypatch):
    monkeypatch.setattr("sms_backend.messages.gauges.FRESH", -1.0)
    stored()
    stored(traffic_type="otp")
    with hot_cursor() as cursor:
        cursor.execute("UPDATE messages SET next_attempt_at = now() - interval '90 seconds' WHERE lane = 'otp'")
    text = Browser().get("/metrics").content.decode()
    assert 'smsgw_waiting_messages{lane="otp"} 1.0' in text
    assert 'smsgw_waiting_messages{lane="promotional"} 0.0' in text
    assert "smsgw_database_up 1.0" in text
    assert 90 <= float(re.search(r'smsgw_oldest_due_seconds\{lane="otp"\} (\S+)', text)[1]) < 120
    assert "python_info" in text
    assert "smsgw_pauses 0.0" in text


def test_metrics_wait_once_for_a_database_that_is_away(client, monkeypatch):
    def away(_most):
        raise OperationalError("no connection after 5.00 sec")

    monkeypatch.setattr("sms_backend.messages.gauges.FRESH", -1.0)
    with monkeypatch.context() as patch:
        patch.setattr("sms_backend.messages.waiting.lanes", away)
        text = Browser().get("/metrics").content.decode()
    assert "smsgw_database_up 0.0" in text
    assert "smsgw_pauses" not in text  # the others did not ask
    assert "smsgw_pauses 0.0" in Browser().get("/metrics").content.decode()
