"""What is written down of sign-ins: who came in, who did not, and from where. A name that nobody has is not kept: it may be a password."""

from datetime import timedelta
from typing import Any

from axes.signals import user_locked_out
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from sms_backend.console.audit import address_of, record
from sms_backend.console.models import AuditEntry
from sms_backend.console.users import has_second_factor


@receiver(user_logged_in, dispatch_uid="console.signed_in")
def _came_in(request: HttpRequest, user: User, **_given: Any) -> None:
    record(request, "sign_in.passed", user=user, changes={"second_factor": "asked for" if has_second_factor(user) else "none"})


@receiver(user_login_failed, dispatch_uid="console.sign_in_failed")
def _failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_given: Any) -> None:
    if request is None or getattr(request, "axes_locked_out", False):
        return
    known = User.objects.filter(username=credentials.get("username") or "").first()
    record(request, "sign_in.failed", known, user=None)


@receiver(user_locked_out, dispatch_uid="console.locked")
def _locked(request: HttpRequest, **_given: Any) -> None:
    """Once an hour and address: whoever is locked out may go on trying."""
    recent = AuditEntry.objects.filter(action="sign_in.locked", address=address_of(request), at__gte=timezone.now() - timedelta(hours=1))
    if not recent.exists():
        record(request, "sign_in.locked")


@receiver(user_logged_out, dispatch_uid="console.signed_out")
def _went(request: HttpRequest, user: User | None, **_given: Any) -> None:
    if user is not None:
        record(request, "sign_in.ended", user=user)
