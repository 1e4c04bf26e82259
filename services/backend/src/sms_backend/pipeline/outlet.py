"""
The way out to clients' receivers: one post each, to a public address that we have resolved and checked ourselves, and never further.

Whatever a URL is called, every socket is checked once more when it is made: no name, no spelling of an address and no second answer of a
DNS server leads past that.
"""

import asyncio
import socket
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from sms_backend.core import addresses

#: For all of it, in seconds.
TOTAL = 15.0
#: Of an answer no more is read.
_MOST_READ = 16 * 1024
#: Names looked up at a time; a slow DNS server must not use up the loop's own threads.
_LOOKUPS = 16


class ForbiddenAddressError(OSError):
    """A name or an address that webhooks may not go to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Post:
    """One try. Neither URL nor body may show in a log."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    plain_http: bool = False  #: whether `http` will do


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back: a status, or the reason why none came."""

    seconds: float
    status: int | None = None
    reason: str | None = None
    retry_after: str | None = None


class _Resolver(AbstractResolver):
    """Every address of a name must be allowed: one that is not says enough about the others."""

    def __init__(self, *, loopback: bool) -> None:
        self._loopback = loopback
        self._threads = ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="webhook-dns")

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host, port, family)
        if not found or not all(addresses.is_allowed(result["host"], loopback=self._loopback) for result in found):
            raise ForbiddenAddressError("not a public address")
        return found

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class Outlet:
    """A session of its own, on the loop that it was opened on."""

    def __init__(self, *, loopback: bool, total: float = TOTAL) -> None:
        self._loopback = loopback
        self._resolver = _Resolver(loopback=loopback)
        connector = aiohttp.TCPConnector(
            resolver=self._resolver, use_dns_cache=False, limit=0, keepalive_timeout=10, socket_factory=self._checked_socket
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=total),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=("Accept-Encoding",),
        )

    async def close(self) -> None:
        await self._session.close()
        await self._resolver.close()

    async def post(self, post: Post) -> Answer:
        """Post once; never raises for what the receiver does."""
        began = time.monotonic()
        problem = self._problem(post)
        if problem is not None:
            return Answer(seconds=0.0, reason=problem)
        try:
            async with self._session.post(post.url, data=post.body, headers=post.headers, allow_redirects=False) as response:
                await response.content.read(_MOST_READ)
                if not response.content.at_eof():
                    response.close()
                return Answer(seconds=time.monotonic() - began, status=response.status, retry_after=response.headers.get("Retry-After"))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return Answer(seconds=time.monotonic() - began, reason=_reason(error))

    def _problem(self, post: Post) -> str | None:
        try:
            parts = urlsplit(post.url)
            host = parts.hostname
        except ValueError:
            return "url"
        if not host or parts.scheme not in ({"https", "http"} if post.plain_http else {"https"}):
            return "url"
        if addresses.is_address(host) and not addresses.is_allowed(host, loopback=self._loopback):
            return "forbidden_address"
        return None

    def _checked_socket(
        self, address: "tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[object, ...]]"
    ) -> socket.socket:
        family, kind, protocol, _, target = address
        if not addresses.is_allowed(str(target[0]), loopback=self._loopback):
            raise ForbiddenAddressError("not a public address")
        return socket.socket(family, kind, protocol)


def _look_up(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    return [
        ResolveResult(hostname=host, host=str(target[0]), port=port, family=found, proto=protocol, flags=socket.AI_NUMERICHOST)
        for found, _, protocol, _, target in socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
    ]


def _reason(error: BaseException) -> str:
    if isinstance(error, ForbiddenAddressError) or isinstance(getattr(error, "os_error", None), ForbiddenAddressError):
        return "forbidden_address"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "dns"
    if isinstance(error, aiohttp.ClientSSLError):
        return "tls"
    if isinstance(error, aiohttp.ClientConnectorError | OSError):
        return "connection"
    return "protocol"
