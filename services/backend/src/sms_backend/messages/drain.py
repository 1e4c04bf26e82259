"""Have the intakes stored everything that was queued before a moment? Asked before Redis's counters are set from PostgreSQL."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from sms_backend.messages.models import IntakeInstance

#: An intake that has been silent this long has lost its channel: RabbitMQ (heartbeat 10 s) has queued again what it held.
SILENT = timedelta(seconds=60)


def beat(instance: UUID, holds_since: datetime | None) -> None:
    """An intake says that it lives, and since when it holds the oldest message it has not committed."""
    IntakeInstance.objects.update_or_create(id=instance, defaults={"heartbeat_at": timezone.now(), "holds_since": holds_since})


def leave(instance: UUID) -> None:
    """An intake stops, holding nothing: its channels are closed."""
    IntakeInstance.objects.filter(id=instance).delete()


def intake_drained(since: datetime) -> bool:
    """
    Whether no living intake holds what it was given before `since`, each having said so after it.

    The caller has seen the queues empty at `since`. False while an intake is silent but not yet given up, and while none lives.
    """
    now = timezone.now()
    IntakeInstance.objects.filter(heartbeat_at__lt=now - SILENT).delete()
    instances = IntakeInstance.objects.all()
    behind = Q(heartbeat_at__lte=since) | Q(holds_since__lte=since)
    return instances.exists() and not instances.filter(behind).exists()
