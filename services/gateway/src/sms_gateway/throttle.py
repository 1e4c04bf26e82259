"""
Failed authentications, counted per address: 30 within a minute, whichever process they come to.

Redis counts for all processes. While it does not answer each process goes by what it has seen itself, so that nothing is open then. Only
a failure ever asks: a valid key passes without.
"""

import asyncio
import math
from collections import OrderedDict, deque
from ipaddress import ip_network
from pathlib import Path
from typing import Final

from sms_contract import keyspace
from sms_gateway.cache import Cache, CacheError, Script

THROTTLE: Final = Script(Path(__file__).with_name("throttle.lua"))
LIMIT: Final = 30
WINDOW: Final = 60.0


class Throttle:
    """Says whether a failure is one too many."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._own = OwnCount()

    async def failed(self, address: str) -> int | None:
        """Count a failure; the seconds to wait where there were too many before it."""
        who = block(address)
        own = self._own.failed(who, asyncio.get_running_loop().time())
        try:
            (wait_ms,) = await self._cache.evaluate([(THROTTLE, [keyspace.failures(who)], [LIMIT, int(WINDOW * 1000)])])
        except CacheError:
            return own
        if not isinstance(wait_ms, int):
            return own
        return math.ceil(wait_ms / 1000) if wait_ms else None


class OwnCount:
    """What one process has seen."""

    ADDRESSES = 10_000

    def __init__(self) -> None:
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def failed(self, who: str, now: float) -> int | None:
        failures = self._failures.setdefault(who, deque())
        self._failures.move_to_end(who)
        while failures and failures[0] <= now - WINDOW:
            failures.popleft()
        if len(failures) >= LIMIT:
            return max(1, math.ceil(failures[0] + WINDOW - now))
        failures.append(now)
        if len(self._failures) > self.ADDRESSES:
            self._failures.popitem(last=False)
        return None


def block(address: str) -> str:
    """What counts as one address: whoever has one of IPv6 has the 2^64 beside it."""
    if ":" not in address:
        return address
    try:
        return str(ip_network(f"{address.partition('%')[0]}/64", strict=False))
    except ValueError:  # a proxy may say anything
        return address[:64]
