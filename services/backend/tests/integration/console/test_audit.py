import time
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError

from sms_backend.accounts.models import ApiKey, Client
from sms_backend.console.models import AuditEntry
from sms_backend.console.rights import Role
from sms_backend.core.cache import cache
from sms_backend.routing.models import Provider
from sms_contract import keyspace
from sms_contract.ids import uuid7

CLIENT_FORM = {
    "name": "acme",
    "time_zone": "UTC",
    "daily_quota": "",
    "rate": "",
    "burst": "",
    "default_sender": "",
    "senders": "",
    "countries": "",
    "on_unknown": "resend",
}
PROVIDER_FORM = {
    "slug": "alpha",
    "priority": "3",
    "weight": "1",
    "throughput": "",
    "countries": "",
    "denied": "",
    "config_account_sid": "AC1",
    "config_auth_token": "hush-hush",
    "config_base_url": "http://127.0.0.1:9",
}


def entries():
    return [entry for entry in AuditEntry.objects.order_by("id") if not entry.action.startswith("sign_in")]


def test_what_a_form_changes_is_written_down_before_and_after(admin):
    admin.post("/console/accounts/client/add/", CLIENT_FORM)
    client = Client.objects.get()
    admin.post(f"/console/accounts/client/{client.id}/change/", CLIENT_FORM | {"rate": "5"})
    admin.post(f"/console/accounts/client/{client.id}/change/", CLIENT_FORM | {"rate": "5"})
    added, changed = entries()
    assert (added.action, added.who, added.object_name, added.changes["name"]) == ("client.added", "admin", "acme", [None, "acme"])
    assert (changed.action, changed.object_id, changed.changes) == ("client.changed", client.id, {"rate": [None, 5.0]})


def test_actions_are_written_down_one_a_row(admin, client):
    admin.post("/console/accounts/client/", {"action": "suspend", "_selected_action": [client.id]})
    (entry,) = entries()
    assert (entry.action, entry.object_name, entry.changes) == ("client.suspended", "shop", {"suspended": [False, True]})


def test_a_change_that_redis_does_not_have_yet_is_made_and_written_down(admin, client):
    cache.delete(keyspace.MARKER)
    admin.post("/console/accounts/client/", {"action": "suspend", "_selected_action": [client.id]})
    assert Client.objects.get().suspended
    assert [entry.action for entry in entries()] == ["client.suspended"]


def test_no_secret_reaches_the_trail_but_that_it_changed_does(admin, client):
    admin.post("/console/routing/provider/add/?adapter=twilio", PROVIDER_FORM)
    admin.post("/console/routing/provider/alpha/change/", PROVIDER_FORM | {"config_auth_token": "other-secret"})
    admin.post(
        "/console/accounts/apikey/add/",
        {"client": client.id, "mode": "test", "networks": "", "expires_at_0": "", "expires_at_1": "", "scopes": []},
    )
    added, changed, issued = entries()
    assert (added.action, changed.action, issued.action) == ("provider.added", "provider.changed", "key.added")
    assert list(changed.changes) == ["secrets"]
    told = str([entry.changes for entry in entries()])
    for secret in ("hush-hush", "other-secret", Provider.objects.get().config, ApiKey.objects.get().hash):
        assert secret not in told


def test_postgresql_refuses_to_change_the_trail_or_to_forget_what_is_recent(admin, client):
    entry = AuditEntry.objects.create(action="client.suspended")
    for statement in ("UPDATE console_auditentry SET who = 'nobody'", "DELETE FROM console_auditentry"):
        with pytest.raises(DatabaseError, match="never changed"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert AuditEntry.objects.get(pk=entry.pk).who == ""


def test_the_trail_is_read_page_by_page_and_found_by_who_what_and_which(login, text):
    admin = login(Role.ADMIN)
    now = time.time_ns() // 1_000_000
    about = {"action": "client.suspended", "who": "ann", "object_type": "client"}
    # A millisecond apart: within one, ids are in no order.
    AuditEntry.objects.bulk_create(
        AuditEntry(id=UUID(uuid7(now + n)), object_id=f"c{n:03}", object_name=f"shop {n:03}", **about) for n in range(120)
    )
    first = admin.get("/console/console/auditentry/")
    assert "shop 119" in text(first)
    assert "shop 069" not in text(first)
    second = admin.get(f"/console/console/auditentry/{first.context['cl'].older}")
    assert "shop 069" in text(second)
    assert "shop 119" not in text(second)
    back = admin.get(f"/console/console/auditentry/{second.context['cl'].newer}")
    assert [row.pk for row in back.context["cl"].result_list] == [row.pk for row in first.context["cl"].result_list]
    found = text(admin.get("/console/console/auditentry/", {"q": "shop 003"}))
    assert "shop 003" in found
    assert "shop 004" not in found
    assert "shop 007" in text(admin.get("/console/console/auditentry/", {"object_type": "client", "object_id": "c007"}))
    assert "shop 007" in text(admin.get("/console/accounts/client/c007/history/", follow=True))


def test_a_page_is_no_later_one_when_the_address_was_tampered_with(admin, text):
    assert "sign_in.passed" in text(admin.get("/console/console/auditentry/?before=not-a-key"))
