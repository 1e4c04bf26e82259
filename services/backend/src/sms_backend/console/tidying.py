"""What the console leaves behind: sessions that are over, wrong passwords that count no more, and a trail that is old enough to go."""

from datetime import datetime, timedelta

from axes.models import AccessAttempt, AccessFailureLog
from django.conf import settings
from django.contrib.sessions.models import Session

from sms_backend.console.models import AuditEntry
from sms_backend.core.environment import environment

_CHUNK = 5000


def tidy(now: datetime) -> None:
    """May be done twice, and at the same time."""
    Session.objects.filter(expire_date__lt=now).delete()
    # Twice as long as they shut anybody out.
    stale = now - 2 * settings.AXES_COOLOFF_TIME
    AccessAttempt.objects.filter(attempt_time__lt=stale).delete()
    AccessFailureLog.objects.filter(attempt_time__lt=stale).delete()
    if environment.smsgw_audit_days:
        _shorten_trail(now - timedelta(days=environment.smsgw_audit_days))


def _shorten_trail(before: datetime) -> None:
    """In chunks, each a short transaction, the oldest first: ids go with time."""
    gone = _CHUNK
    while gone == _CHUNK:
        oldest = AuditEntry.objects.filter(at__lt=before).order_by("id").values_list("pk", flat=True)[:_CHUNK]
        gone, _ = AuditEntry.objects.filter(pk__in=list(oldest)).delete()
