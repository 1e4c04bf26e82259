"""
API keys, as the gateway checks them: `sgw_<mode>_<key id>_<secret>`, compared under the pepper in constant time.

PostgreSQL is asked at each request, so that a revoked key is refused at once. An unknown key costs the same work as a wrong secret.
Failures are counted per address and process; a valid key always passes. A suspended client may still read.
"""

import hmac
import math
import re
import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from ipaddress import ip_network
from typing import ClassVar

from django.http import HttpRequest

from sms_backend.accounts import rotation
from sms_backend.accounts.keys import key_hashes
from sms_backend.accounts.models import ApiKey
from sms_backend.core.peers import peer, within
from sms_backend.history.problems import Problem

SCOPE = "messages:read"
_NO_HASH = "0" * 64
_KEY_ID = re.compile(r"[a-z0-9]{1,64}")


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Who asks."""

    client_id: str
    key_id: str


class Throttle:
    """Counts failed authentications per address, within a minute."""

    LIMIT: ClassVar = 30
    WINDOW: ClassVar = 60.0
    ADDRESSES: ClassVar = 10_000

    def __init__(self) -> None:
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def failed(self, address: str, now: float) -> int | None:
        """Count one; the seconds to wait where there were too many before it."""
        with self._lock:
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

    def forget(self) -> None:
        """Nobody has failed."""
        with self._lock:
            self._failures.clear()


throttle = Throttle()


def authenticate(request: HttpRequest) -> Reader:
    """Turn the headers of a request into a reader. Raises `Problem`."""
    address = peer(request)
    presented = request.headers.get("API-Key")
    if presented is None:
        kind, _, presented = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            raise _failure("auth.missing_key", address)
    key_id, mode, secret = _split(presented.strip())
    key = ApiKey.objects.filter(id=key_id, revoked_at=None).first() if key_id else None
    hashes = key_hashes(secret)
    matches = [hmac.compare_digest(one, key.hash if key is not None else _NO_HASH) for one in hashes]
    if key is None or not any(matches) or key.mode != mode:
        raise _failure("auth.invalid_key", address)
    if key.expires_at is not None and key.expires_at.timestamp() <= time.time():
        raise _failure("auth.invalid_key", address)
    if not matches[0]:
        rotation.leave_hash(key.id, hashes[0])
    if key.networks and not within(address, key.networks):
        raise Problem("auth.network")
    if SCOPE not in key.scopes:
        raise Problem("auth.scope", f"This key lacks the scope `{SCOPE}`.")
    return Reader(client_id=key.client_id, key_id=key.id)


def _failure(code: str, address: str) -> Problem:
    wait = throttle.failed(address, time.monotonic())
    return Problem(code) if wait is None else Problem("auth.throttled", retry_after=wait)


def _split(presented: str) -> tuple[str, str, str]:
    parts = presented.split("_", 3)
    if len(parts) != 4 or not presented.isascii() or parts[0] != "sgw" or not _KEY_ID.fullmatch(parts[2]):
        return "", "", presented
    return parts[2], parts[1], parts[3]


def _block(address: str) -> str:
    # Whoever has one IPv6 address has the 2^64 beside it.
    try:
        return str(ip_network(f"{address}/64", strict=False)) if ":" in address else address
    except ValueError:
        return address
