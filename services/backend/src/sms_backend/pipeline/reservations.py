"""Reservations that were never finished: what PostgreSQL has is done, what it cannot have any more is given back."""

from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

from sms_backend.accounts.models import Client
from sms_backend.core.cache import cache
from sms_backend.messages.drain import intake_drained
from sms_backend.messages.models import Alias, Message
from sms_contract import keyspace

_release = cache.register_script(files("sms_backend.pipeline").joinpath("release.lua").read_text())
_AT_ONCE = 500


def clear_pending(now: datetime) -> int:
    """Settle reservations that have been pending for longer than the grace; returns how many were given back."""
    cutoff = now - timedelta(seconds=keyspace.PENDING_GRACE)
    # Nothing published before the cutoff may still be on its way: the queues have been drained past it.
    if not intake_drained(cutoff):
        return 0
    given_back = 0
    for client in Client.objects.values_list("id", flat=True):
        given_back += _clear_client(client, int(cutoff.timestamp() * 1000))
    return given_back


def _clear_client(client: str, cutoff_ms: int) -> int:
    found: list[Any] = cache.zrange(keyspace.pending(client), "-inf", cutoff_ms, byscore=True, offset=0, num=_AT_ONCE)
    pending = [raw.decode() for raw in found]
    if not pending:
        return 0
    stored = {str(pk) for pk in Message.objects.filter(id__in=pending).values_list("id", flat=True)}
    stored |= {str(pk) for pk in Message.objects.filter(batch_id__in=pending).values_list("batch_id", flat=True)}
    stored |= {str(pk) for pk in Alias.objects.filter(alias__in=pending).values_list("alias", flat=True)}
    prefix = keyspace.client_prefix(client)
    released = 0
    for tracking_id in pending:
        keys = [keyspace.reservation(client, tracking_id)]
        released += int(_release(keys=keys, args=[prefix, tracking_id, int(tracking_id in stored), cutoff_ms]))
    return released
