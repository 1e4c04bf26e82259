"""What clients have used of today's quota, each by its own midnight."""

from collections.abc import Iterable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.utils import timezone

from sms_backend.accounts.models import Client
from sms_backend.messages.models import QuotaUsage


def used_today(clients: Iterable[Client]) -> dict[str, int]:
    """Segments by client id. What the gateway has accepted in the last moment may not be in it yet."""
    days = {client.id: today_of(client) for client in clients}
    rows = QuotaUsage.objects.filter(client_id__in=days, day__in=set(days.values())).values_list("client_id", "day", "used")
    found = {(client_id, day): used for client_id, day, used in rows}
    return {client_id: found.get((client_id, day), 0) for client_id, day in days.items()}


def today_of(client: Client) -> date:
    """The day that a client's quota counts for now."""
    now: datetime = timezone.now()
    return now.astimezone(ZoneInfo(client.time_zone)).date()
