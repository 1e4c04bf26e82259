"""
Who may do what: keys, clients and providers, as Server B projects them into Redis, kept in the process for two seconds.

The two seconds count from before the read, and what is not found is never kept: a new key works at once, a revoked one is refused in time.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network

import msgspec

from sms_contract import keyspace
from sms_contract.keyspace import ClientRecord, KeyRecord, ProviderRecord
from sms_gateway.cache import Cache, CacheError

KEPT = 2.0
REFRESHED = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An API key and its client, ready to be checked and used."""

    key_id: str
    secret_hash: str
    mode: str
    scopes: frozenset[str]
    expires_at: int | None
    networks: tuple[IPv4Network | IPv6Network, ...]
    client: ClientRecord
    burst: int
    emission: float  #: microseconds between two messages; 0: no rate limit
    policy: bytes  #: the header `RateLimit-Policy`; empty: no limit is set
    prefix: str = field(default="")  #: what the keys of the client's reservations start with


@dataclass(frozen=True, slots=True)
class Providers:
    """All providers, in the order in which smart selection would try them."""

    listed: tuple[ProviderRecord, ...]
    by_slug: dict[str, ProviderRecord]
    #: Those that serve live mode, and their names where each of them serves every country.
    live: tuple[ProviderRecord, ...] = field(init=False)
    everywhere: tuple[str, ...] | None = field(init=False)

    def __post_init__(self) -> None:
        live = tuple(provider for provider in self.listed if provider.active and not provider.test)
        limited = any(provider.countries or provider.denied for provider in live)
        object.__setattr__(self, "live", live)
        object.__setattr__(self, "everywhere", None if limited else tuple(provider.slug for provider in live))


class _Kept[Value]:
    """One value, read again in the background while it is still good, and by one reader at a time."""

    __slots__ = ("_load", "_loading", "read_at", "value")

    def __init__(self, load: Callable[[], Awaitable[Value | None]]) -> None:
        self._load = load
        self._loading: asyncio.Task[Value | None] | None = None
        self.read_at = -math.inf
        self.value: Value | None = None

    def fresh(self, now: float) -> Value | None:
        age = now - self.read_at
        if age > KEPT:
            return None
        if age > REFRESHED and self._loading is None:
            self.load()
        return self.value

    def load(self) -> asyncio.Task[Value | None]:
        if self._loading is None:
            self._loading = asyncio.create_task(self._read())
            self._loading.add_done_callback(self._loaded)
        return self._loading

    async def _read(self) -> Value | None:
        read_at = asyncio.get_running_loop().time()
        value = await self._load()
        self.value = value
        self.read_at = read_at if value is not None else -math.inf
        return value

    def _loaded(self, task: asyncio.Task[Value | None]) -> None:
        self._loading = None
        if not task.cancelled():
            task.exception()  # a failed refresh is the next reader's to see


class Directory:
    """Principals by key id, and the providers."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._principals: dict[str, _Kept[Principal]] = {}
        self._providers = _Kept(self._load_providers)

    def fresh_principal(self, key_id: str) -> Principal | None:
        """The principal of a key id, where it is known and need not be read again."""
        kept = self._principals.get(key_id)
        return None if kept is None else kept.fresh(asyncio.get_running_loop().time())

    async def principal(self, key_id: str) -> Principal | None:
        """The principal of a key id; None: there is no such key. Raises `CacheError` where that cannot be known."""
        found = self.fresh_principal(key_id)
        if found is not None:
            return found
        kept = self._principals.get(key_id)
        if kept is None:
            kept = _Kept(lambda: self._load_principal(key_id))
        found = await asyncio.shield(kept.load())
        if found is None:
            self._principals.pop(key_id, None)
        else:
            self._principals[key_id] = kept
        return found

    def fresh_providers(self) -> Providers | None:
        """All providers, where they need not be read again."""
        return self._providers.fresh(asyncio.get_running_loop().time())

    async def providers(self) -> Providers:
        """All providers. Raises `CacheError` where they cannot be known."""
        found = self.fresh_providers()
        if found is None:
            found = await asyncio.shield(self._providers.load())
        if found is None:
            raise CacheError("providers are not projected")
        return found

    async def leave_hash(self, key_id: str, mark: str, newest: str) -> None:
        """Leave Server B a key's hash under the pepper of that mark. Raises `CacheError`."""
        await self._cache.run(("SET", keyspace.rehashed(key_id, mark), newest, "EX", keyspace.REHASHED_TTL))

    async def _load_principal(self, key_id: str) -> Principal | None:
        found, marker = await self._cache.run(("GET", keyspace.api_key(key_id)), ("HGET", keyspace.MARKER, "admit"))
        if not isinstance(found, bytes):
            self._must_be_absent(found, marker)
            return None
        key = msgspec.json.decode(found, type=KeyRecord)
        found, marker = await self._cache.run(("GET", keyspace.client(key.client)), ("HGET", keyspace.MARKER, "admit"))
        if not isinstance(found, bytes):
            raise CacheError("a client is not projected")
        return principal(key_id, key, msgspec.json.decode(found, type=ClientRecord))

    async def _load_providers(self) -> Providers | None:
        found, marker = await self._cache.run(("GET", keyspace.PROVIDERS), ("HGET", keyspace.MARKER, "admit"))
        if not isinstance(found, bytes):
            self._must_be_absent(found, marker)
            return Providers((), {})
        records = tuple(msgspec.json.decode(found, type=list[ProviderRecord]))
        return Providers(records, {record.slug: record for record in records})

    def _must_be_absent(self, found: object, marker: object) -> None:
        if found is not None or not isinstance(marker, bytes) or not self._cache.marked(marker):
            raise CacheError("Redis has lost what Server B wrote")


def principal(key_id: str, key: KeyRecord, client: ClientRecord) -> Principal:
    """Work out once what every request of a key needs."""
    rate = client.rate or 0
    burst = client.burst or max(1, math.ceil(rate))
    policy = []
    if rate:
        policy.append(f'"rate";q={burst};w={math.ceil(burst / rate)}')
    if client.daily_limit is not None:
        policy.append(f'"daily";q={client.daily_limit};w=86400')
    return Principal(
        key_id=key_id,
        secret_hash=key.hash,
        mode=key.mode,
        scopes=frozenset(key.scopes),
        expires_at=key.expires_at,
        networks=tuple(ip_network(network, strict=False) for network in key.networks),
        client=client,
        burst=burst,
        emission=1_000_000 / rate if rate else 0,
        policy=", ".join(policy).encode(),
        prefix=keyspace.reservation(client.id, ""),
    )
