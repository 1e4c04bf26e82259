"""Clients and keys in the console."""

import re
from datetime import timedelta

import msgspec
import pytest
from django.utils import timezone

from sms_backend.accounts import services
from sms_backend.accounts.models import ApiKey, Client
from sms_backend.console.models import AuditEntry
from sms_backend.console.rights import Role
from sms_backend.console.usage import today_of
from sms_backend.core.cache import cache
from sms_backend.messages.models import QuotaUsage
from sms_contract import keyspace

PAGE = "/console/accounts/client/c0ffee000001/change/"


def key_url(key, what):
    return f"/console/accounts/apikey/{key.id}/{what}/"


@pytest.fixture
def key(client, ready):
    return services.issue_key(client, mode="test", scopes=["messages:send"], networks=["192.0.2.0/24"]).key


def test_todays_use_stands_against_the_quota_by_the_clients_own_midnight(admin, client, text):
    Client.objects.filter(pk=client.pk).update(daily_quota=2000, time_zone="Pacific/Kiritimati")
    client.refresh_from_db()
    QuotaUsage.objects.create(client_id=client.id, day=today_of(client), used=1500)
    QuotaUsage.objects.create(client_id=client.id, day=today_of(client) - timedelta(days=1), used=7)
    assert "1,500 of 2,000" in text(admin.get(PAGE))
    answer = admin.get("/console/accounts/client/")
    assert "1,500 of 2,000" in text(answer)
    assert 'value="75"' in answer.content.decode()


def test_a_list_of_many_clients_asks_for_their_use_once(admin, client, django_assert_max_num_queries):
    for number in range(30):
        Client.objects.create(name=f"client {number:02}")
    admin.get("/console/accounts/client/")
    with django_assert_max_num_queries(12):
        admin.get("/console/accounts/client/")


def test_a_client_is_suspended_and_resumed_by_its_button(login, client, text):
    operator = login(Role.OPERATOR)
    switch = "/console/accounts/client/c0ffee000001/switch/"
    assert "shop is suspended." in text(operator.post(switch, {"to": "suspended"}, follow=True))
    assert msgspec.json.decode(cache.get(keyspace.client(client.id)), type=keyspace.ClientRecord).suspended
    assert "shop may send again." in text(operator.post(switch, {"to": "active"}, follow=True))
    assert list(AuditEntry.objects.filter(object_id=client.id).order_by("id").values_list("action", flat=True)) == [
        "client.suspended",
        "client.resumed",
    ]
    assert operator.get(switch).status_code == 405
    assert login(Role.VIEWER).post(switch, {"to": "suspended"}).status_code == 403
    assert not Client.objects.get().suspended


def test_a_client_without_a_key_says_so_and_leads_to_one(admin, client, page):
    html = page(admin.get(PAGE))
    assert "It has no key, so it cannot send yet." in html
    assert "/console/accounts/apikey/add/?client=c0ffee000001" in html
    assert 'value="c0ffee000001" selected' in page(admin.get("/console/accounts/apikey/add/?client=c0ffee000001"))


def test_a_rotated_key_is_shown_once_and_the_old_one_goes_on_for_as_long_as_was_said(admin, key, page):
    html = page(admin.post(key_url(key, "rotate"), {"grace": "24"}))
    new = ApiKey.objects.exclude(pk=key.pk).get()
    assert re.search(rf"sgw_test_{new.id}_[0-9A-Za-z]{{43}}", html)
    assert (new.client_id, new.mode, new.scopes, new.networks, new.expires_at) == (
        key.client_id,
        "test",
        ["messages:send"],
        ["192.0.2.0/24"],
        None,
    )
    key.refresh_from_db()
    assert timedelta(hours=23) < key.expires_at - timezone.now() <= timedelta(hours=24)
    record = msgspec.json.decode(cache.get(keyspace.api_key(key.id)), type=keyspace.KeyRecord)
    assert record.expires_at == int(key.expires_at.timestamp())
    assert cache.exists(keyspace.api_key(new.id))
    actions = list(AuditEntry.objects.filter(action__startswith="key.").order_by("id").values_list("action", flat=True))
    assert sorted(actions) == ["key.added", "key.rotated"]
    assert not re.search(rf"{new.id}_\w{{20}}", str(list(AuditEntry.objects.values_list("changes", flat=True))))


def test_a_rotation_without_grace_ends_the_old_key_at_once(admin, key):
    admin.post(key_url(key, "rotate"), {"grace": "0"})
    assert not cache.exists(keyspace.api_key(key.id))
    key.refresh_from_db()
    assert key.revoked_at is not None


def test_a_rotation_never_makes_a_key_live_longer(admin, key):
    soon = timezone.now() + timedelta(minutes=10)
    ApiKey.objects.filter(pk=key.pk).update(expires_at=soon)
    admin.post(key_url(key, "rotate"), {"grace": "168"})
    key.refresh_from_db()
    assert key.expires_at == soon


def test_a_key_is_revoked_once_confirmed_and_then_offers_nothing_more(login, key, text):
    operator = login(Role.OPERATOR)
    assert "stops working within seconds" in text(operator.get(key_url(key, "revoke")))
    assert cache.exists(keyspace.api_key(key.id))
    operator.post(key_url(key, "revoke"))
    assert not cache.exists(keyspace.api_key(key.id))
    assert operator.get(key_url(key, "revoke")).status_code == 404
    assert login(Role.ADMIN).get(key_url(key, "rotate")).status_code == 404


@pytest.mark.parametrize(("what", "allowed"), [("rotate", {Role.ADMIN}), ("revoke", {Role.OPERATOR, Role.ADMIN})])
@pytest.mark.parametrize("role", Role)
def test_only_who_may_can_rotate_and_revoke(login, key, role, what, allowed):
    browser = login(role)
    assert browser.get(key_url(key, what)).status_code == (200 if role in allowed else 403)
    if role not in allowed:
        assert browser.post(key_url(key, what), {"grace": "0"}).status_code == 403
        assert ApiKey.objects.get().revoked_at is None


def test_a_key_that_may_only_be_used_from_nowhere_is_refused_beside_its_field(admin, client, page):
    form = {
        "client": client.id,
        "mode": "test",
        "networks": "300.1.1.1",
        "expires_at_0": "2001-01-01",
        "expires_at_1": "00:00",
        "scopes": [],
    }
    page(admin.post("/console/accounts/apikey/add/", form))
    assert not ApiKey.objects.exists()
