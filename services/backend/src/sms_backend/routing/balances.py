"""What is left in providers' accounts: who is to be asked now, and what was told."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from django.db import connection
from django.utils import timezone

from sms_backend.routing.models import ProviderBalance
from sms_providers.errors import SendError
from sms_providers.types import Balance

#: How often an account is asked. A vendor's own figure lags behind by as much.
EVERY: Final = timedelta(minutes=10)
_LONGEST = 300

_TAKE = """
INSERT INTO routing_providerbalance AS b (provider_id, currency, asked_at, error)
SELECT slug, '', now(), '' FROM routing_provider WHERE active AND slug = ANY(%s)
ON CONFLICT (provider_id) DO UPDATE SET asked_at = excluded.asked_at
WHERE b.asked_at < now() - make_interval(secs => %s)
    OR b.asked_at < (SELECT p.updated_at FROM routing_provider p WHERE p.slug = b.provider_id)
RETURNING provider_id
"""


def take_due(able: Sequence[str]) -> list[str]:
    """
    Which of these accounts are to be asked, marked as asked: of two that take at once, one gets each.

    Due is who was never asked, not for ten minutes, or not since an operator changed something.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, (list(able), EVERY.total_seconds()))
        return [slug for (slug,) in cursor.fetchall()]


def keep(slug: str, told: Balance | SendError) -> None:
    """Keep what was told; an error leaves the amount as it was told before, with its time."""
    row = ProviderBalance.objects.filter(provider=slug)
    if isinstance(told, SendError):
        row.update(error=f"{told.outcome.value}: {told.detail}"[:_LONGEST])
    else:
        row.update(amount=told.amount, currency=told.currency or "", told_at=timezone.now(), error="")
