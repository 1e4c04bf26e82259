"""
Clients and API keys in Redis, where the gateway reads them.

A change is written through after its commit. Whoever writes holds one lock and reads under it, so that the last write shows the
latest commit, whatever the order of the changes was.
"""

import math
from collections.abc import Iterable, Mapping
from itertools import batched

import msgspec
import redis

from sms_backend.accounts import selectors
from sms_backend.accounts.models import ApiKey, Client
from sms_backend.core import locks
from sms_backend.core.cache import cache
from sms_backend.core.errors import NotProjectedError, UnreachableError
from sms_backend.core.readiness import not_projected, readiness
from sms_contract import keyspace
from sms_contract.keyspace import ClientRecord, KeyRecord

_encode = msgspec.json.Encoder().encode
#: Keys a round trip.
_CHUNK = 500


def client_record(client: Client) -> ClientRecord:
    """A client as the gateway sees it."""
    burst = client.burst
    if burst is None and client.rate is not None:
        burst = max(1, math.ceil(client.rate))
    return ClientRecord(
        id=client.id,
        name=client.name,
        suspended=client.suspended,
        time_zone=client.time_zone,
        daily_limit=client.daily_quota,
        rate=client.rate,
        burst=burst,
        default_sender=client.default_sender,
        senders=client.senders,
        countries=client.countries,
        denied=client.denied,
        on_unknown=client.on_unknown,
    )


def key_record(key: ApiKey) -> KeyRecord:
    """A key as the gateway sees it."""
    return KeyRecord(
        hash=key.hash,
        client=key.client_id,
        mode=key.mode,
        scopes=key.scopes,
        expires_at=None if key.expires_at is None else int(key.expires_at.timestamp()),
        networks=key.networks,
    )


def reach() -> None:
    """Raises `UnreachableError` where Redis does not answer."""
    try:
        cache.ping()
    except redis.RedisError as error:
        raise UnreachableError(f"Redis does not answer ({type(error).__name__}); nothing was changed") from error


def show_client(client_id: str) -> None:
    """
    Write a client through. Raises `NotProjectedError`.

    While Redis is being rebuilt it must not appear: its record is what opens admission, and its counters may not be back yet.
    """
    try:
        with locks.exclusive(locks.PROJECTION):
            client = Client.objects.get(id=client_id)
            if not readiness().admit:
                raise NotProjectedError("saved in PostgreSQL; Redis is being rebuilt, and the gateway will know it once that is done")
            cache.set(keyspace.client(client.id), _encode(client_record(client)))
    except redis.RedisError as error:
        raise not_projected(error) from error


def show_key(key_id: str) -> None:
    """Write a key through, or take it out. Raises `NotProjectedError`."""
    try:
        with locks.exclusive(locks.PROJECTION):
            key = selectors.valid_keys().filter(id=key_id).first()
            if key is None:
                cache.delete(keyspace.api_key(key_id))
            else:
                cache.set(keyspace.api_key(key_id), _encode(key_record(key)))
    except redis.RedisError as error:
        raise not_projected(error) from error


def show_keys() -> int:
    """Make Redis hold the valid keys and none that is revoked, under the caller's lock; returns how many changed."""
    valid = {keyspace.api_key(key.id): _encode(key_record(key)) for key in selectors.valid_keys()}
    all_names = (keyspace.api_key(key_id) for key_id in ApiKey.objects.values_list("id", flat=True))
    return write_differing(valid) + _delete(name for name in all_names if name not in valid)


def show_clients() -> int:
    """Make Redis hold every client, under the caller's lock; returns how many changed. Raises `redis.RedisError`."""
    return write_differing({keyspace.client(client.id): _encode(client_record(client)) for client in Client.objects.all()})


def hide_clients() -> None:
    """Close admission: without its client's record nothing is admitted. Raises `redis.RedisError`."""
    _delete(keyspace.client(client_id) for client_id in Client.objects.values_list("id", flat=True))


def drop_strays() -> int:
    """
    Take out what PostgreSQL has never heard of: keys of before it was restored from a backup. Raises `redis.RedisError`.

    It walks all of Redis, so that it belongs to rebuilding alone.
    """
    known = {keyspace.api_key(key_id) for key_id in ApiKey.objects.values_list("id", flat=True)}
    known |= {keyspace.client(client_id) for client_id in Client.objects.values_list("id", flat=True)}
    found = (name.decode() for pattern in ("sms:key:*", "sms:{*}:client") for name in cache.scan_iter(match=pattern, count=10_000))
    return _delete(name for name in found if name not in known)


def write_differing(wanted: Mapping[str, bytes]) -> int:
    """Write those values that Redis has otherwise; returns how many. Raises `redis.RedisError`."""
    changed = 0
    for names in batched(wanted, _CHUNK):
        known = cache.mget(names)
        differing = {name: wanted[name] for name, value in zip(names, known, strict=True) if value != wanted[name]}
        if differing:
            cache.mset(differing)
            changed += len(differing)
    return changed


def _delete(names: Iterable[str]) -> int:
    gone = 0
    for chunk in batched(names, _CHUNK):
        gone += int(cache.delete(*chunk))
    return gone
