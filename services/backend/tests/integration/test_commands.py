"""What an operator types, what he is shown, and what the gateway then finds in Redis."""

import hmac
import io
import json

import msgspec
import pytest
import redis
from django.core.management import CommandError, call_command

from sms_backend.accounts.models import ApiKey, Client
from sms_backend.core.cache import cache
from sms_backend.core.crypto import unseal
from sms_backend.core.environment import environment
from sms_backend.core.operator import Error
from sms_backend.routing.models import Provider
from sms_contract import keyspace
from sms_contract.keyspace import ClientRecord, KeyRecord, ProviderRecord

TWILIO = {"account_sid": "AC1", "auth_token": "hush-hush", "base_url": "http://127.0.0.1:9"}


@pytest.fixture(autouse=True)
def _ready(ready):
    """Every test here begins with a Redis that is right."""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(TWILIO))
    return str(path)


def client_record(client_id):
    return msgspec.json.decode(cache.get(keyspace.client(client_id)), type=ClientRecord)


def key_record(key_id):
    raw = cache.get(keyspace.api_key(key_id))
    return None if raw is None else msgspec.json.decode(raw, type=KeyRecord)


def provider_records():
    return {record.slug: record for record in msgspec.json.decode(cache.get(keyspace.PROVIDERS), type=list[ProviderRecord])}


@pytest.fixture
def refused(manage):
    def run(*arguments):
        with pytest.raises(Error) as caught:
            manage(*arguments)
        return caught.value.returncode, str(caught.value)

    return run


def test_a_client_is_in_redis_when_the_command_returns(manage_json):
    shown = manage_json(
        "client",
        "add",
        "acme",
        "--daily-quota=100",
        "--rate=2.5",
        "--time-zone=Europe/London",
        "--sender=ACME",
        "--country=gb",
        "--country=+1",
        "--deny-country=ca",
        "--deny-country=+1242",
    )
    record = client_record(shown["id"])
    assert record == ClientRecord(
        id=shown["id"],
        name="acme",
        time_zone="Europe/London",
        daily_limit=100,
        rate=2.5,
        burst=3,
        senders=["ACME"],
        countries=["GB", "+1"],
        denied=["CA", "+1242"],
    )
    assert manage_json("client", "set", "acme", "--no-denied")["denied"] == client_record(shown["id"]).denied == []


def test_a_client_without_limits_has_none(manage_json):
    record = client_record(manage_json("client", "add", "acme")["id"])
    assert (record.daily_limit, record.rate, record.burst, record.senders, record.countries) == (None, None, None, [], [])


def test_who_takes_the_rate_away_takes_its_burst_along(manage_json):
    made = manage_json("client", "add", "acme", "--rate=20", "--burst=40")
    manage_json("client", "set", "acme", "--rate=none")
    record = client_record(made["id"])
    assert (record.rate, record.burst) == (None, None)


def test_limits_are_changed_and_taken_away_and_the_rest_stays(manage, manage_json):
    client_id = manage_json("client", "add", "acme", "--daily-quota=100", "--rate=5", "--sender=ACME")["id"]
    manage("client", "set", "acme", "--daily-quota=none", "--name=acme-2", "--any-sender")
    record = client_record(client_id)
    assert (record.name, record.daily_limit, record.rate, record.senders) == ("acme-2", None, 5.0, [])


def test_a_client_is_found_by_name_and_by_id_suspended_and_resumed(manage, manage_json):
    client_id = manage_json("client", "add", "acme")["id"]
    assert manage_json("client", "suspend", client_id)["suspended"]
    assert client_record(client_id).suspended
    assert not manage_json("client", "resume", "acme")["suspended"]
    assert not client_record(client_id).suspended
    assert [client["name"] for client in manage_json("client", "list")] == ["acme"]
    assert "acme" in manage("client", "show", "acme")


def test_what_is_wrong_is_said_in_words_with_an_exit_code(manage, refused):
    manage("client", "add", "acme")
    assert refused("client", "add", "acme") == (1, "there is a client 'acme' already")
    assert refused("client", "show", "nobody")[0] == 1
    code, text = refused("client", "add", "other", "--rate=0", "--time-zone=Nowhere")
    assert code == 2
    assert "--rate: " in text
    assert "--time-zone: " in text
    assert refused("client", "add", "other", "--burst=5") == (2, "--burst: it needs a rate")
    assert not Client.objects.filter(name="other").exists()


def test_a_key_is_shown_once_and_kept_as_an_hmac(manage, manage_json):
    client_id = manage_json("client", "add", "acme")["id"]
    issued = manage_json("key", "add", "acme", "--mode=test", "--scope=messages:send", "--expires=30d", "--network=192.0.2.0/24")
    prefix, mode, key_id, secret = issued["key"].split("_")
    assert (prefix, mode, key_id) == ("sgw", "test", issued["key_id"])
    record = key_record(key_id)
    pepper = environment.smsgw_key_pepper.get_secret_value().encode()
    assert record.hash == hmac.digest(pepper, secret.encode(), "sha256").hex()
    assert (record.client, record.mode, record.scopes, record.networks) == (client_id, "test", ["messages:send"], ["192.0.2.0/24"])
    assert record.expires_at == int(ApiKey.objects.get(id=key_id).expires_at.timestamp())
    assert secret not in manage("key", "list") + json.dumps(manage_json("key", "list"))


def test_a_revoked_key_is_gone_from_redis_when_the_command_returns(manage, manage_json):
    manage("client", "add", "acme")
    key_id = manage_json("key", "add", "acme")["key_id"]
    assert key_record(key_id) is not None
    assert manage_json("key", "revoke", key_id)["state"] == "revoked"
    assert key_record(key_id) is None
    assert manage_json("key", "list", "acme")[0]["state"] == "revoked"


def test_a_provider_is_projected_without_its_secrets(manage, manage_json, config):
    shown = manage_json("provider", "add", "alpha", "--adapter=twilio", "--priority=5", "--country=+44", f"--config={config}")
    assert shown["config"] == {**TWILIO, "auth_token": "***"}
    provider = Provider.objects.get(slug="alpha")
    assert unseal(provider.config) == TWILIO
    assert "hush-hush" not in provider.config
    record = provider_records()["alpha"]
    assert (record.active, record.priority, record.countries, record.test) == (True, 5, ["+44"], False)
    assert len(record.callback_hash) == 64
    assert "hush-hush" not in cache.get(keyspace.PROVIDERS).decode() + manage("provider", "show", "alpha")


def test_providers_stand_in_the_order_in_which_they_are_tried(manage, config):
    for slug, priority in (("alpha", 1), ("beta", 9), ("gamma", 5)):
        manage("provider", "add", slug, "--adapter=twilio", f"--priority={priority}", f"--config={config}")
    assert list(provider_records()) == ["beta", "gamma", "alpha"]
    manage("provider", "disable", "beta")
    assert not provider_records()["beta"].active
    manage("provider", "enable", "beta")
    assert provider_records()["beta"].active


def test_a_configuration_is_laid_over_what_is_stored(manage, config, tmp_path, monkeypatch):
    manage("provider", "add", "alpha", "--adapter=twilio", f"--config={config}")
    monkeypatch.setattr("sys.stdin", io.StringIO('{"base_url": "https://sms.example", "auth_token": "***"}'))
    manage("provider", "set", "alpha", "--config=-", "--weight=7")
    provider = Provider.objects.get(slug="alpha")
    assert unseal(provider.config) == {**TWILIO, "base_url": "https://sms.example"}
    assert provider.weight == 7


@pytest.mark.parametrize(
    "config",
    [
        '{"account_sid": "AC1"}',
        '{"account_sid": "AC1", "auth_token": "hush-hush", "base_url": "http://192.0.2.1"}',
        '["hush-hush"]',
        "hush-hush",
    ],
)
def test_a_wrong_configuration_is_refused_without_showing_it(refused, config, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(config))
    code, text = refused("provider", "add", "alpha", "--adapter=twilio", "--config=-")
    assert code == 2
    assert "config" in text
    assert "hush-hush" not in text


def test_the_test_provider_is_built_in(refused, config):
    assert refused("provider", "add", "test", "--adapter=test")[0] == 1
    assert refused("provider", "add", "other", "--adapter=test")[0] == 1
    assert refused("provider", "add", "other", "--adapter=carrier-pigeon")[0] == 2


def test_adapters_show_what_they_need(manage_json, refused):
    assert {adapter["name"] for adapter in manage_json("adapter", "list")} >= {"twilio", "test"}
    shown = manage_json("adapter", "show", "twilio")
    assert {"account_sid", "auth_token", "base_url"} <= set(shown["schema"]["properties"])
    assert shown["capabilities"]["look_up"] is False
    assert refused("adapter", "show", "pigeon")[0] == 1


def test_while_redis_is_away_a_change_is_kept_and_the_operator_is_told(manage, manage_json, refused, monkeypatch):
    client_id = manage_json("client", "add", "acme")["id"]
    with monkeypatch.context() as away:
        for name in ("set", "get", "pipeline"):
            away.setattr(cache, name, _gone)
        code, text = refused("client", "suspend", "acme")
    assert code == 1
    assert "saved in PostgreSQL" in text
    assert Client.objects.get(id=client_id).suspended
    assert not client_record(client_id).suspended
    manage("projection", "rebuild")
    assert client_record(client_id).suspended


def test_while_redis_is_being_rebuilt_a_client_is_not_opened_early(manage, refused):
    manage("client", "add", "acme")
    cache.flushdb()
    code, text = refused("client", "set", "acme", "--rate=5")
    assert code == 1
    assert "being rebuilt" in text
    assert not cache.exists(keyspace.client(Client.objects.get(name="acme").id))


def _gone(*_arguments, **_options):
    raise redis.ConnectionError


def test_what_is_wrong_is_named_as_it_was_typed(refused):
    code, said = refused("client", "add", "acme", "--sender=much too long for a sender")
    assert (code, said.partition(":")[0]) == (2, "--sender")


@pytest.mark.parametrize("number", ["0", "-1", "99999999999999999999", "9223372036854775808", "1_000", "²"])
def test_a_list_is_asked_for_a_number_of_rows_that_there_can_be(manage, number):
    with pytest.raises(CommandError, match="give a whole number from 1 to 1000000"):
        manage("parked", "list", f"--limit={number}")


def test_a_row_is_asked_for_by_an_id_that_there_can_be(manage):
    with pytest.raises(CommandError, match="give a whole number from 1 to 9223372036854775807"):
        manage("parked", "show", "9223372036854775808")


def test_a_trial_that_is_not_accepted_is_a_failure_and_shows_why(manage, config):
    manage("provider", "add", "alpha", "--adapter=twilio", f"--config={config}")
    out = io.StringIO()
    with pytest.raises(Error, match="has not accepted it") as failed:
        call_command("provider", "test", "alpha", "--to=+447911123456", "--sender=ACME", stdout=out)
    assert failed.value.returncode == 1
    assert "not_sent" in out.getvalue()


def test_a_trial_without_the_sender_that_it_wants_says_how_to_name_one(manage, config):
    manage("provider", "add", "alpha", "--adapter=twilio", f"--config={config}")
    with pytest.raises(Error, match="name one by --sender"):
        manage("provider", "test", "alpha", "--to=+447911123456")
