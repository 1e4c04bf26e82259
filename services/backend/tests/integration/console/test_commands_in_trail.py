"""What a command changes stands in the audit trail, beside what is done in the console."""

import io
import json
import sys
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from sms_backend.accounts import webhooks
from sms_backend.console.actors import operator
from sms_backend.console.models import AuditEntry
from sms_backend.core.cache import cache
from sms_backend.core.errors import OperatorError
from sms_backend.core.operator import Error
from sms_backend.messages.models import Parked
from sms_backend.routing.models import Pause
from sms_contract import topology

NUMBER = "+447911123456"
TWILIO = {"account_sid": "AC1", "auth_token": "hush-hush", "base_url": "http://127.0.0.1:9"}


@pytest.fixture(autouse=True)
def _ready(ready: None) -> None:
    """Redis is right."""


@pytest.fixture
def typed(manage: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command, and hand back the entries that it has made."""

    def run(*arguments: str, stdin: str = "", fails: bool = False) -> list[AuditEntry]:
        before = set(AuditEntry.objects.values_list("pk", flat=True))
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(Error) if fails else nullcontext():
            manage(*arguments)
        return list(AuditEntry.objects.exclude(pk__in=before).order_by("pk"))

    return run


def only(entries: list[AuditEntry]) -> tuple[str, str, dict[str, Any]]:
    (entry,) = entries
    assert (entry.who, entry.user, entry.address) == (operator().who, None, None)
    return entry.action, entry.object_name, entry.changes


def test_of_a_client_and_its_keys(typed: Any) -> None:
    action, name, changes = only(typed("client", "add", "acme", "--rate=2"))
    assert (action, name, changes["name"], changes["rate"]) == ("client.added", "acme", [None, "acme"], [None, 2.0])
    assert only(typed("client", "set", "acme", "--rate=5")) == ("client.changed", "acme", {"rate": [2.0, 5.0]})
    assert only(typed("client", "suspend", "acme")) == ("client.suspended", "acme", {"suspended": [False, True]})
    assert only(typed("client", "resume", "acme"))[0] == "client.resumed"
    (added,) = typed("key", "add", "acme", "--mode=test")
    assert (added.action, added.changes["mode"]) == ("key.added", [None, "test"])
    assert "key" not in added.changes
    assert only(typed("key", "revoke", added.object_id))[2]["state"] == ["valid", "revoked"]


def test_of_a_provider_without_its_secrets(typed: Any) -> None:
    action, name, changes = only(typed("provider", "add", "alpha", "--adapter=twilio", "--config=-", stdin=json.dumps(TWILIO)))
    assert (action, name, changes["config"][1]["auth_token"]) == ("provider.added", "alpha", "***")
    action, _, changes = only(typed("provider", "set", "alpha", "--config=-", stdin='{"auth_token": "another"}'))
    assert (action, list(changes)) == ("provider.changed", ["secrets"])
    assert only(typed("provider", "disable", "alpha")) == ("provider.disabled", "alpha", {"active": [True, False]})
    assert only(typed("provider", "enable", "alpha"))[0] == "provider.enabled"
    assert only(typed("provider", "test", "alpha", f"--to={NUMBER}", "--sender=ACME", fails=True)) == (
        "provider.tested",
        "alpha",
        {"to": "+44***456", "outcome": "not_sent"},
    )
    assert "hush" not in json.dumps(list(AuditEntry.objects.values()), default=str)


def test_of_webhooks(typed: Any, client: Any) -> None:
    (added,) = typed("webhook", "add", "shop", "https://example.com/hook")
    assert (added.action, added.changes["url"]) == ("webhook.added", [None, "https://example.com/hook"])
    endpoint = added.object_id
    assert only(typed("webhook", "rotate", endpoint))[0] == "webhook.secret_rotated"
    assert only(typed("webhook", "disable", endpoint))[2]["state"] == ["enabled", "disabled (operator)"]
    assert only(typed("webhook", "enable", endpoint))[0] == "webhook.enabled"
    assert only(typed("webhook", "replay", endpoint))[2]["deliveries"] == 0
    assert only(typed("webhook", "secret", "shop"))[:2] == ("webhook.secret_shown", "shop")
    secrets = webhooks.signing_secrets(webhooks.endpoint_with(endpoint))
    assert not [secret for secret in secrets if secret in json.dumps(list(AuditEntry.objects.values()), default=str)]


def test_of_what_is_held_and_let_go(typed: Any, client: Any) -> None:
    assert only(typed("pause", "--client=shop", "--lane=promotional"))[2]["lane"] == [None, "promotional"]
    assert Pause.objects.count() == 1
    assert only(typed("resume", "--client=shop")) == ("sending.resumed", "shop", {"pauses": 1})
    assert typed("resume") == []


def test_of_people_without_their_numbers(typed: Any, client: Any, tmp_path: Any) -> None:
    assert only(typed("suppression", "add", "shop", NUMBER))[2] == {"number": "+44***456", "sender": None}
    assert typed("suppression", "add", "shop", NUMBER) == []
    assert only(typed("suppression", "remove", "shop", NUMBER))[2]["entries"] == 1
    (tmp_path / "list.csv").write_text(f"number\n{NUMBER}\n")
    assert only(typed("suppression", "import", "shop", str(tmp_path / "list.csv")))[2] == {"read": 1, "added": 1}
    assert only(typed("suppression", "export"))[0] == "suppressions.exported"
    assert only(typed("privacy", "erase", NUMBER))[0] == "person.erased"
    assert only(typed("number", "add", "+447900000001", "--client=shop"))[:2] == ("number.added", "+447900000001")
    assert only(typed("number", "remove", "+447900000001"))[0] == "number.removed"
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM console_auditentry a WHERE a::text LIKE %s", [f"%{NUMBER[1:]}%"])
        assert cursor.fetchone() == (0,)


def test_of_who_may_sign_in(typed: Any) -> None:
    action, name, changes = only(typed("console", "user", "add", "eve", "--password-stdin", stdin="correct horse battery\n"))
    assert (action, name, changes["role"]) == ("user.added", "eve", [None, "admin"])
    typed("console", "user", "add", "bob", "--role=viewer")
    assert only(typed("console", "user", "add", "bob", "--role=operator")) == ("user.password_set", "bob", {"role": ["viewer", "operator"]})
    assert only(typed("console", "user", "off", "bob")) == ("user.switched_off", "bob", {"active": [True, False]})
    assert only(typed("console", "user", "on", "bob"))[0] == "user.switched_on"
    assert only(typed("console", "user", "reset-two-factor", "bob"))[0] == "user.two_factor_reset"
    assert only(typed("console", "user", "sign-out", "bob"))[0] == "user.signed_out"
    assert only(typed("console", "unlock"))[0] == "sign_in.unlocked"


def test_of_what_was_parked(typed: Any) -> None:
    row = Parked.objects.create(queue=topology.SUBMISSIONS, reason="unreadable", body=b"{", headers={}, message_id="m-1")
    assert only(typed("parked", "show", str(row.pk)))[:2] == ("parked.revealed", f"{topology.SUBMISSIONS} {row.pk}")
    assert only(typed("parked", "drop", str(row.pk)))[2] == {"message_id": "m-1"}


def test_of_secrets_the_read_model_and_a_restored_database(typed: Any) -> None:
    assert only(typed("secrets", "reseal"))[0] == "secrets.resealed"
    since = (timezone.now() - timedelta(hours=1)).isoformat()
    assert typed("recover", f"--since={since}", "--dry-run") == []
    assert only(typed("recover", f"--since={since}"))[2]["since"] == since


def test_nothing_is_written_of_what_only_looks_or_fails(typed: Any, client: Any) -> None:
    for looks in (["client", "list"], ["client", "show", "shop"], ["key", "list"], ["provider", "list"], ["adapter", "list"]):
        assert typed(*looks) == []
    for wrong in (["client", "set", "shop", "--rate=-1"], ["client", "add", "shop"], ["key", "revoke", "nothere"]):
        with pytest.raises(Error):
            typed(*wrong)
    assert not AuditEntry.objects.exists()


def test_a_change_that_redis_does_not_have_yet_is_written_down(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_arguments: object, **_options: object) -> None:
        raise OSError

    monkeypatch.setattr(cache.connection_pool, "get_connection", away)
    with pytest.raises((Error, OSError, OperatorError)):
        call_command("client", "suspend", "shop")
    assert AuditEntry.objects.get().action == "client.suspended"
