"""What becomes of reservations once the broker has spoken: done, released, or left pending."""

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

FINALIZE: Final = Script(Path(__file__).with_name("finalize.lua"))
RELEASE: Final = Script(Path(__file__).with_name("release.lua"))

log = structlog.get_logger()

#: `done`: the broker has it. `release`: it certainly has not. `leave`: nobody knows.
type End = Literal["done", "release", "leave"]


class Reservation(msgspec.Struct):
    """What a claim came to have."""

    claim: Claim
    id: str  #: the claim's own, or the one it took over
    day: str  #: that was charged


class Settler:
    """Writes ends to Redis, a whole group's at once; what fails is tried again behind the answers."""

    #: Seconds that answers wait for their end to be written, and for how long it is tried in all.
    PATIENCE = 0.1
    TRIED = 60.0
    BACKLOG = 1_000

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._again: set[asyncio.Task[None]] = set()

    async def settle(self, reservations: Sequence[Reservation], end: End) -> None:
        """Write their end, or see to it that it is written later; wait briefly either way."""
        unsettled: Sequence[Reservation] = reservations
        try:
            async with asyncio.timeout(self.PATIENCE):
                unsettled = await self._write(reservations, end)
        except TimeoutError:
            pass
        if unsettled:
            self.settle_later(unsettled, end)

    def settle_later(self, reservations: Sequence[Reservation], end: End) -> None:
        """Write their end behind the answers, for as long as it is worth trying."""
        if len(self._again) < self.BACKLOG:
            task = asyncio.get_running_loop().create_task(self._try_again(reservations, end))
            self._again.add(task)
            task.add_done_callback(self._again.discard)

    async def _try_again(self, reservations: Sequence[Reservation], end: End) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + self.TRIED
        pause = 0.2
        while reservations and loop.time() < until:
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)
            reservations = await self._write(reservations, end)
        for reservation in reservations:
            # Server B looks into what is still pending after fifteen minutes.
            log.warning("reservation.unsettled", tracking_id=reservation.id, client=reservation.claim.principal.client.id)

    async def _write(self, reservations: Sequence[Reservation], end: End) -> Sequence[Reservation]:
        """Those whose end could not be written."""
        groups: list[list[Reservation]]
        if end == "done":
            by_client: dict[str, list[Reservation]] = {}
            for reservation in reservations:
                by_client.setdefault(reservation.claim.principal.client.id, []).append(reservation)
            groups = list(by_client.values())
            calls = [_finalize(group) for group in groups]
        else:
            groups = [[reservation] for reservation in reservations]
            calls = [_release(reservation, end) for reservation in reservations]
        try:
            answers = await self._cache.evaluate(calls)
        except CacheError:
            return reservations
        return [
            reservation for group, answer in zip(groups, answers, strict=True) if isinstance(answer, RedisError) for reservation in group
        ]


def _finalize(reservations: list[Reservation]) -> tuple[Script, list[str], list[Any]]:
    principal = reservations[0].claim.principal
    keys = [keyspace.pending(principal.client.id), *(principal.prefix + reservation.id for reservation in reservations)]
    return FINALIZE, keys, [principal.prefix, *(reservation.claim.owner for reservation in reservations)]


def _release(reservation: Reservation, end: End) -> tuple[Script, list[str], list[Any]]:
    claim = reservation.claim
    client = claim.principal.client.id
    key = claim.principal.prefix + reservation.id
    pointer = key if claim.idempotency is None else keyspace.idempotency(client, claim.idempotency)
    keys = [key, pointer, keyspace.pending(client), keyspace.quota(client, reservation.day)]
    return RELEASE, keys, [claim.owner, reservation.id, "1" if end == "leave" else "0"]
