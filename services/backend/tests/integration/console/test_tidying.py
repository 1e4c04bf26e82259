"""What the console leaves behind goes, and what is still of use stays."""

from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client as Browser
from django.utils import timezone
from pydantic import ValidationError

from sms_backend.console import tidying
from sms_backend.console.models import AuditEntry
from sms_backend.console.rights import Role
from sms_backend.core.environment import Environment, environment


def written(action: str, days: float) -> None:
    """An entry that is so old: the column dates itself, and PostgreSQL keeps entries as they are."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE console_auditentry DISABLE TRIGGER console_audit_is_kept")
    entry = AuditEntry.objects.create(who="eve", action=action)
    AuditEntry.objects.filter(pk=entry.pk).update(at=timezone.now() - timedelta(days=days))
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE console_auditentry ENABLE TRIGGER console_audit_is_kept")


def test_sessions_that_are_over_go_and_nobody_is_signed_out(login: Any) -> None:
    browser = login(Role.VIEWER)
    login(Role.ADMIN)
    over = Session.objects.get(pk=login(Role.OPERATOR).session.session_key)
    Session.objects.filter(pk=over.pk).update(expire_date=timezone.now() - timedelta(seconds=1))
    tidying.tidy(timezone.now())
    assert Session.objects.count() == 2
    assert browser.get("/console/").status_code == 200


def test_wrong_passwords_go_when_they_shut_nobody_out_any_more(ready: None) -> None:
    for address in ("198.51.100.1", "198.51.100.2"):
        Browser(REMOTE_ADDR=address).post("/console/login/", {"username": "eve", "password": "wrong"})
    AccessAttempt.objects.filter(ip_address="198.51.100.1").update(attempt_time=timezone.now() - timedelta(hours=1))
    tidying.tidy(timezone.now())
    assert AccessAttempt.objects.get().ip_address == "198.51.100.2"


def test_the_trail_goes_when_it_is_two_years_old(ready: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidying, "_CHUNK", 2)
    for days in (731, 740, 900, 1000, 1001, 729):
        written(f"client.added{days}", days)
    tidying.tidy(timezone.now())
    assert AuditEntry.objects.get().action == "client.added729"


def test_how_long_the_trail_is_kept_is_the_operators_choice(ready: None, monkeypatch: pytest.MonkeyPatch) -> None:
    written("client.added", 3000)
    monkeypatch.setattr(tidying, "environment", environment.model_copy(update={"smsgw_audit_days": 0}))
    tidying.tidy(timezone.now())
    assert AuditEntry.objects.exists()
    with pytest.raises(ValidationError, match="90 days or more"):
        Environment(smsgw_audit_days=30)
    assert not User.objects.exists()
