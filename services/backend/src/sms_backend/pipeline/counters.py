"""
Quota counters, put back into a Redis that has lost them, before admission opens.

PostgreSQL's sums and its refunds are read in one snapshot. A refund that the sums contain is flagged in Redis as given back, so that the
projection, which may still owe it, gives nothing back a second time. One that is committed meanwhile may reach Redis before its sum
does, and be overwritten by it: so it is done again until nothing has changed in between.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib.resources import files
from itertools import batched, product
from uuid import UUID

from django.db import connection, transaction
from redis.client import Pipeline

from sms_backend.accounts.models import Client
from sms_backend.core.cache import cache
from sms_backend.messages.models import Alias, Message, QuotaUsage
from sms_contract import keyspace
from sms_contract.ids import floor

_set = cache.register_script(files("sms_backend.pipeline").joinpath("counters.lua").read_text())
_CHUNK = 500
#: Refunds come seldom within the milliseconds that this takes.
_TRIES = 5
#: A message charged to a day of these was accepted no longer ago: time zones reach from UTC-12 to UTC+14.
_DAYS = timedelta(days=1)
_ACCEPTED = timedelta(days=3)


@dataclass(frozen=True, kw_only=True)
class _Charges:
    used: dict[tuple[str, date], int]
    given_back: frozenset[tuple[str, str]]  #: client, tracking id
    stored: dict[str, list[str]]  #: client to its pending reservations that are stored


def restore(now: datetime) -> None:
    """Set the counters of today, yesterday and tomorrow for every client. Raises `redis.RedisError`; may be run again."""
    days = [now.date() + offset * _DAYS for offset in (-1, 0, 1)]
    clients = list(Client.objects.values_list("id", flat=True))
    charges = _read(clients, days, now)
    for _ in range(_TRIES):
        _write(clients, days, charges)
        again = _read(clients, days, now)
        if again == charges:
            return
        charges = again
    _write(clients, days, charges)


def _write(clients: list[str], days: list[date], charges: _Charges) -> None:
    for chunk in batched(charges.given_back, _CHUNK):
        with cache.pipeline(transaction=False) as pipe:
            for client, tracking_id in chunk:
                pipe.set(keyspace.refunded(client, tracking_id), b"1", nx=True, ex=keyspace.QUOTA_TTL)
            pipe.execute()
    for pairs in batched(product(clients, days), _CHUNK):
        with cache.pipeline(transaction=False) as pipe:
            for client, day in pairs:
                _set_counter(client, day, charges, pipe)
            pipe.execute()


def _set_counter(client: str, day: date, charges: _Charges, pipe: Pipeline) -> None:
    text = f"{day:%Y%m%d}"
    _set(
        keys=[keyspace.client(client), keyspace.quota(client, text), keyspace.pending(client)],
        args=[
            keyspace.client_prefix(client),
            text,
            charges.used.get((client, day), 0),
            keyspace.QUOTA_TTL,
            *charges.stored.get(client, ()),
        ],
        client=pipe,
    )


def _read(clients: Iterable[str], days: list[date], now: datetime) -> _Charges:
    pending = _pending(clients)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        used = {(row.client_id, row.day): row.used for row in QuotaUsage.objects.filter(day__in=days)}
        refunded = Message.objects.filter(
            id__gte=floor(int((now - _ACCEPTED).timestamp() * 1000)), refunded_at__isnull=False, charged_day__in=days
        )
        given_back = {(client, str(pk)) for client, pk in refunded.values_list("client_id", "id").iterator(2000)}
        aliases = Alias.objects.filter(charged_day__in=days).values_list("client_id", "alias")
        given_back |= {(client, str(alias)) for client, alias in aliases}
        stored = {client: _stored(ids) for client, ids in pending.items()}
    return _Charges(used=used, given_back=frozenset(given_back), stored=stored)


def _pending(clients: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for chunk in batched(clients, _CHUNK):
        with cache.pipeline(transaction=False) as pipe:
            for client in chunk:
                pipe.zrange(keyspace.pending(client), 0, -1)
            ids = pipe.execute()
        found |= {client: [raw.decode() for raw in pending] for client, pending in zip(chunk, ids, strict=True) if pending}
    return found


def _stored(pending: list[str]) -> list[str]:
    stored: set[UUID | None] = set(Message.objects.filter(id__in=pending).values_list("id", flat=True))
    stored |= set(Message.objects.filter(batch_id__in=pending).values_list("batch_id", flat=True))
    stored |= set(Alias.objects.filter(alias__in=pending).values_list("alias", flat=True))
    return [str(pk) for pk in stored]
