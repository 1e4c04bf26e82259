"""Have the intakes stored everything that was published before a moment? Asked before Redis's counters are set from PostgreSQL."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q

from sms_backend.core.clock import shared_now
from sms_backend.messages.models import IntakeInstance

#: An intake gives its channels up when it could not commit for less than this; silent for longer, it holds nothing any more.
SILENT = timedelta(seconds=30)


def beat(instance: UUID, *, held_for: timedelta | None, empty: bool) -> None:
    """An intake lives, has held the oldest message that is not committed for so long, and has just seen all queues empty or not."""
    now = shared_now()
    seen = {"empty_at": now} if empty else {}
    since = None if held_for is None else now - held_for
    IntakeInstance.objects.update_or_create(id=instance, defaults={"heartbeat_at": now, "holds_since": since, **seen})


def join(instance: UUID) -> None:
    """An intake starts: what an earlier one of its name held is queued again, and looks at the queues from before that are worthless."""
    leave(instance)


def leave(instance: UUID) -> None:
    """An intake stops: its channels are closed, what it held is queued again."""
    IntakeInstance.objects.filter(id=instance).delete()
    IntakeInstance.objects.update(empty_at=None)


def intake_drained(since: datetime) -> bool:
    """
    Whether everything that was published before `since`, by the clock of PostgreSQL, is stored.

    The queues were seen empty at a moment after it, and since that moment each intake has said that it holds nothing from before. An intake
    that vanished makes earlier looks worthless: what it held is queued again.
    """
    gone, _ = IntakeInstance.objects.filter(heartbeat_at__lt=shared_now() - SILENT).delete()
    if gone:
        IntakeInstance.objects.update(empty_at=None)
        return False
    looks = IntakeInstance.objects.filter(empty_at__gte=since).order_by("empty_at").values_list("empty_at", flat=True)
    empty_at = looks.first()
    if empty_at is None:
        return False
    behind = Q(heartbeat_at__lt=empty_at) | Q(holds_since__lte=empty_at)
    return not IntakeInstance.objects.filter(behind).exists()
