"""What becomes of a reservation once the broker has spoken: done, released, or left pending."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import structlog
from redis.exceptions import RedisError

from sms_contract import keyspace
from sms_gateway.admission.reserve import Claim
from sms_gateway.cache import Cache, CacheError, Script
from sms_gateway.coalescer import Coalescer, UnansweredError, WithdrawnError
from sms_gateway.observability.metrics import flush_observer

FINALIZE: Final = Script(Path(__file__).with_name("finalize.lua"))
RELEASE: Final = Script(Path(__file__).with_name("release.lua"))

log = structlog.get_logger()

#: `done`: the broker has it. `release`: it certainly has not. `leave`: nobody knows.
type End = Literal["done", "release", "leave"]


class Settlement(msgspec.Struct):
    """How one claim ended."""

    claim: Claim
    id: str  #: the claim's own, or the one it took over
    day: str
    end: End


class Settler:
    """Writes ends to Redis, many at a time; what fails is tried again behind the answer."""

    #: Seconds that an answer waits for its end to be written, and for how long it is tried in all.
    PATIENCE = 0.1
    TRIED = 60.0
    BACKLOG = 10_000

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._coalescer: Coalescer[Settlement, bool] = Coalescer(self._flush, max_in_flight=1, observe=flush_observer("settle"))
        self._again: set[asyncio.Task[None]] = set()

    async def settle(self, settlement: Settlement) -> None:
        """Write it, or see to it that it is written later; wait briefly either way."""
        loop = asyncio.get_running_loop()
        try:
            if await self._coalescer.submit(settlement, deadline=loop.time() + self.PATIENCE):
                return
        except (WithdrawnError, UnansweredError):
            pass
        self.settle_later(settlement)

    def settle_later(self, settlement: Settlement) -> None:
        """Write it behind the answer, for as long as it is worth trying."""
        if len(self._again) < self.BACKLOG:
            task = asyncio.get_running_loop().create_task(self._try_again(settlement))
            self._again.add(task)
            task.add_done_callback(self._again.discard)

    async def drain(self) -> None:
        await self._coalescer.drain()

    async def _try_again(self, settlement: Settlement) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + self.TRIED
        pause = 0.2
        while loop.time() < until:
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)
            try:
                if await self._coalescer.submit(settlement, deadline=loop.time() + 2.0):
                    return
            except (WithdrawnError, UnansweredError):
                continue
        # Server B looks into what is still pending after fifteen minutes.
        log.warning("reservation.unsettled", tracking_id=settlement.id, client=settlement.claim.principal.client.id)

    async def _flush(self, settlements: list[Settlement], _deadline: float) -> Sequence[bool | Exception]:
        groups: dict[str, list[int]] = {}
        calls: list[tuple[Script, list[str], list[Any]]] = []
        members: list[list[int]] = []
        for i, settlement in enumerate(settlements):
            if settlement.end == "done":
                groups.setdefault(settlement.claim.principal.client.id, []).append(i)
            else:
                calls.append(_release(settlement))
                members.append([i])
        for client, group in groups.items():
            calls.append(_finalize(client, [settlements[i] for i in group]))
            members.append(group)
        try:
            answers = await self._cache.evaluate(calls)
        except CacheError:
            return [False] * len(settlements)
        results = [False] * len(settlements)
        for group, answer in zip(members, answers, strict=True):
            for i in group:
                results[i] = not isinstance(answer, RedisError)
        return results


def _finalize(client: str, settlements: list[Settlement]) -> tuple[Script, list[str], list[Any]]:
    prefix = settlements[0].claim.principal.prefix
    keys = [keyspace.pending(client), *(prefix + settlement.id for settlement in settlements)]
    return FINALIZE, keys, [prefix, *(settlement.claim.owner for settlement in settlements)]


def _release(settlement: Settlement) -> tuple[Script, list[str], list[Any]]:
    claim = settlement.claim
    client = claim.principal.client.id
    reservation = claim.principal.prefix + settlement.id
    pointer = reservation if claim.idempotency is None else keyspace.idempotency(client, claim.idempotency)
    keys = [reservation, pointer, keyspace.pending(client), keyspace.quota(client, settlement.day)]
    return RELEASE, keys, [claim.owner, settlement.id, "1" if settlement.end == "leave" else "0"]
