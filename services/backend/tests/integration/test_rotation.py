"""Every secret is changed while all goes on: what was made with the older one keeps its worth until it has moved over."""

import base64
import os

import pytest
from cryptography.fernet import Fernet, MultiFernet
from django.contrib.auth.models import User
from django.core import signing
from django.db import connection
from django.test import Client

from sms_backend.accounts import keys, rotation, webhooks
from sms_backend.accounts.models import ApiKey
from sms_backend.config import settings as django_settings
from sms_backend.console.models import Totp
from sms_backend.core import crypto
from sms_backend.core.cache import cache
from sms_backend.core.crypto import seal, unseal
from sms_backend.core.environment import Environment, environment
from sms_backend.messages import pseudonyms
from sms_backend.routing import callback_urls
from sms_backend.routing.models import Provider
from sms_contract import keyspace

NEW = "n" * 40


@pytest.fixture
def told(monkeypatch):
    """All that reads the environment reads another one from now on."""

    def tell(**changes: str) -> Environment:
        for name, value in changes.items():
            monkeypatch.setenv(name, value)
        fresh = Environment()
        for module in (keys, rotation, callback_urls):
            monkeypatch.setattr(module, "environment", fresh)
        newest, *_ = fresh.credential_keys
        monkeypatch.setattr(crypto, "_newest", Fernet(newest))
        monkeypatch.setattr(crypto, "_box", MultiFernet([Fernet(key) for key in fresh.credential_keys]))
        return fresh

    return tell


def ask(http, text: str) -> int:
    return http.get("/v1/history/messages", headers={"API-Key": text}).status_code


@pytest.fixture
def http():
    return Client()


def test_the_pepper_changes_and_no_client_notices(client, ready, manage_json, told, http):
    used = manage_json("key", "add", client.name)
    unused = manage_json("key", "add", client.name)
    old = environment.smsgw_key_pepper.get_secret_value()
    told(SMSGW_KEY_PEPPER=NEW, SMSGW_KEY_PEPPER_PREVIOUS=old)
    assert ask(http, used["key"]) == 200
    assert ask(http, used["key"] + "x") == 401
    fresh = manage_json("key", "add", client.name)
    assert ask(http, fresh["key"]) == 200
    assert rotation.take_hashes() == 1
    assert rotation.take_hashes() == 0
    status = manage_json("secrets", "status")["keys_under_an_older_pepper"]
    assert [row["key_id"] for row in status] == [unused["key_id"]]
    # The gateway reads the new hash too.
    assert ApiKey.objects.get(id=used["key_id"]).hash.encode() in cache.get(keyspace.api_key(used["key_id"]))
    # Without the older one: who moved over goes on, who was never seen does not.
    told(SMSGW_KEY_PEPPER_PREVIOUS="")
    assert [ask(http, one["key"]) for one in (used, fresh, unused)] == [200, 200, 401]


def test_what_is_left_for_a_key_must_be_a_hash(client, ready, manage_json, told):
    key_id = manage_json("key", "add", client.name)["key_id"]
    told(SMSGW_KEY_PEPPER=NEW, SMSGW_KEY_PEPPER_PREVIOUS=environment.smsgw_key_pepper.get_secret_value())
    for wrong in (b"", b"x" * 64, b"ab", b"\xff" * 64):
        cache.set(keyspace.rehashed(key_id, keys.pepper_mark()), wrong)
        assert rotation.take_hashes() == 0


def test_what_was_left_for_one_pepper_is_not_taken_for_the_next(client, ready, manage_json, told, http):
    issued = manage_json("key", "add", client.name)
    first = environment.smsgw_key_pepper.get_secret_value()
    told(SMSGW_KEY_PEPPER=NEW, SMSGW_KEY_PEPPER_PREVIOUS=first)
    assert ask(http, issued["key"]) == 200
    # Changed once more, before a sweeper came.
    told(SMSGW_KEY_PEPPER="m" * 40, SMSGW_KEY_PEPPER_PREVIOUS=f"{NEW},{first}")
    assert rotation.take_hashes() == 0
    assert ask(http, issued["key"]) == 200
    assert rotation.take_hashes() == 1
    told(SMSGW_KEY_PEPPER_PREVIOUS="")
    assert ask(http, issued["key"]) == 200


def test_keys_from_before_peppers_were_marked_count_as_under_the_only_one(client, ready, manage_json, told):
    manage_json("key", "add", client.name)
    ApiKey.objects.update(pepper="")
    assert rotation.take_hashes() == 1
    assert manage_json("secrets", "status")["keys_under_an_older_pepper"] == []


def test_urls_signed_with_the_older_secret_are_still_believed(told):
    url = callback_urls.attempt_url("alpha", "token", "0192f0c1-0000-7000-8000-000000000000", 1)
    account_url = callback_urls.signed_account_url("alpha", "token")
    account_query = dict([account_url.partition("?")[2].split("=")])
    query = dict(part.split("=") for part in url.partition("?")[2].split("&"))
    told(SMSGW_CALLBACK_SECRET=NEW, SMSGW_CALLBACK_SECRET_PREVIOUS=environment.smsgw_callback_secret.get_secret_value())
    assert callback_urls.attempt_of("alpha", query) == ("0192f0c1-0000-7000-8000-000000000000", 1)
    assert callback_urls.attempt_of("beta", query) is None
    assert callback_urls.is_signed_account_url("alpha", "token", account_query)
    assert not callback_urls.is_signed_account_url("beta", "token", account_query)
    assert callback_urls.signed_account_url("alpha", "token") != account_url
    assert callback_urls.attempt_url("alpha", "token", "0192f0c1-0000-7000-8000-000000000000", 1) != url
    told(SMSGW_CALLBACK_SECRET_PREVIOUS="")
    assert callback_urls.attempt_of("alpha", query) is None
    assert not callback_urls.is_signed_account_url("alpha", "token", account_query)


def test_everything_encrypted_moves_to_the_newest_key(client, ready, manage_json, told):
    Provider.objects.create(slug="alpha", adapter="test", config=seal({"token": "t"}))
    issued = webhooks.add_endpoint(client, "https://example.com/hook")
    webhooks.rotate(issued.endpoint)
    Totp.made_for(User.objects.create(username="ann"))
    known_as = pseudonyms.pseudonym("+447911123456")
    newest = base64.urlsafe_b64encode(os.urandom(32)).decode()
    told(SMSGW_CREDENTIAL_KEYS=f"{newest},{environment.smsgw_credential_keys.get_secret_value()}")
    assert manage_json("secrets", "reseal") == {"providers": 1, "webhook_secrets": 2, "pseudonym_key": 1, "authenticators": 1}
    assert set(manage_json("secrets", "reseal").values()) == {0}
    # The newest alone opens all that there is: every column that looks like it was encrypted.
    told(SMSGW_CREDENTIAL_KEYS=newest)
    assert unseal(Provider.objects.get().config) == {"token": "t"}
    pseudonyms.forget()
    assert pseudonyms.pseudonym("+447911123456") == known_as
    assert sealed_tokens()
    for token in sealed_tokens():
        unseal(token)


def sealed_tokens() -> list[str]:
    """Each value in the database that begins as Fernet's do."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = 'public' AND data_type IN ('text', 'character varying')"
        )
        for table, column in cursor.fetchall():
            cursor.execute(f'SELECT "{column}" FROM "{table}" WHERE "{column}" LIKE %s', ["gAAAA%"])
            found += [value for (value,) in cursor.fetchall()]
    return found


def test_djangos_older_secret_still_opens_what_it_signed(monkeypatch, settings):
    token = signing.dumps({"user": 1})
    assert django_settings.SECRET_KEY_FALLBACKS == []
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = NEW
    assert signing.loads(token) == {"user": 1}
    monkeypatch.setenv("SMSGW_SECRET_KEY_PREVIOUS", f"{'o' * 32}, {'p' * 32}")
    assert Environment().secret_key_fallbacks == ["o" * 32, "p" * 32]


@pytest.mark.parametrize("name", ["SMSGW_SECRET_KEY_PREVIOUS", "SMSGW_KEY_PEPPER_PREVIOUS", "SMSGW_CALLBACK_SECRET_PREVIOUS"])
def test_an_older_secret_that_is_too_short_is_refused_without_being_shown(monkeypatch, name):
    monkeypatch.setenv(name, f"{'o' * 32},short-one")
    with pytest.raises(ValueError, match="each must have 32 characters or more") as refused:
        Environment()
    problems = refused.value.errors(include_input=False, include_context=False, include_url=False)
    assert "short-one" not in str(problems)
