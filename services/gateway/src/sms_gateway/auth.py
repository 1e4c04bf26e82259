"""
API keys: `sgw_<mode>_<key id>_<secret>`, compared as HMAC-SHA256 under a pepper, in constant time.

An unknown key costs the same work as a wrong secret. Failures are counted per address; a valid key always passes.
"""

import asyncio
import hmac
import math
import re
from collections import OrderedDict, deque
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from sms_gateway.cache import CacheError
from sms_gateway.clock import Clock
from sms_gateway.directory import Directory, Principal
from sms_gateway.problems import Problem

_NO_HASH: Final = "0" * 64
_KEY_ID: Final = re.compile(r"[a-z0-9]{1,64}")


class Throttle:
    """Counts failed authentications per address, within a minute."""

    LIMIT = 30
    WINDOW = 60.0
    ADDRESSES = 10_000

    def __init__(self) -> None:
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def failed(self, address: str, now: float) -> int | None:
        """Count one; the seconds to wait where there were too many before it."""
        who = _block(address)
        failures = self._failures.setdefault(who, deque())
        self._failures.move_to_end(who)
        while failures and failures[0] <= now - self.WINDOW:
            failures.popleft()
        if len(failures) >= self.LIMIT:
            return max(1, math.ceil(failures[0] + self.WINDOW - now))
        failures.append(now)
        if len(self._failures) > self.ADDRESSES:
            self._failures.popitem(last=False)
        return None


class Authenticator:
    """Turns the headers of a request into a principal, or into a `Problem`."""

    def __init__(self, directory: Directory, clock: Clock, pepper: str) -> None:
        self._directory = directory
        self._clock = clock
        self._pepper = pepper.encode()
        self._throttle = Throttle()

    async def authenticate(self, headers: dict[bytes, bytes], address: str, scope: str) -> Principal:
        presented = headers.get(b"api-key")
        if presented is None:
            kind, _, presented = headers.get(b"authorization", b"").partition(b" ")
            if kind.lower() != b"bearer":
                raise self._failure("auth.missing_key", address)
        key_id, mode, secret = _split(presented.strip())
        try:
            principal = await self._directory.principal(key_id) if key_id else None
        except CacheError as error:
            raise Problem("cache.unavailable") from error
        expected = principal.secret_hash if principal is not None else _NO_HASH
        matches = hmac.compare_digest(hmac.digest(self._pepper, secret, "sha256").hex(), expected)
        if principal is None or not matches or principal.mode != mode:
            raise self._failure("auth.invalid_key", address)
        if principal.expires_at is not None and principal.expires_at * 1000 <= self._clock.now_ms():
            raise self._failure("auth.invalid_key", address)
        if principal.networks and not _within(address, principal):
            raise Problem("auth.network")
        if scope not in principal.scopes:
            raise Problem("auth.scope", f"This key lacks the scope `{scope}`.")
        return principal

    def _failure(self, code: str, address: str) -> Problem:
        wait = self._throttle.failed(address, asyncio.get_running_loop().time())
        return Problem(code) if wait is None else Problem("auth.throttled", retry_after=wait)


def _split(presented: bytes) -> tuple[str, str, bytes]:
    try:
        brand, mode, key_id, secret = presented.decode("ascii").split("_", 3)
    except ValueError:  # UnicodeDecodeError too
        return "", "", presented
    if brand != "sgw" or not _KEY_ID.fullmatch(key_id):
        return "", "", presented
    return key_id, mode, secret.encode()


def _within(address: str, principal: Principal) -> bool:
    try:
        where = ip_address(address)
    except ValueError:
        return False
    if isinstance(where, IPv6Address) and where.ipv4_mapped:
        where = where.ipv4_mapped
    return any(where in network for network in principal.networks)


def _block(address: str) -> str:
    # Whoever has one IPv6 address has the 2^64 beside it.
    return str(ip_network(f"{address}/64", strict=False)) if ":" in address else address
