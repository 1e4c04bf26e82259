"""Asks the admission script, once per client and flush."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from redis.exceptions import RedisError

from sms_contract import keyspace
from sms_gateway.cache import Cache, CacheError, Script
from sms_gateway.directory import Principal

ADMISSION: Final = Script(Path(__file__).with_name("admission.lua"))

type Purpose = Literal["n", "d", "r", "s"]


class Claim(msgspec.Struct, kw_only=True):
    """What is asked of admission: one message, or one batch."""

    principal: Principal
    id: str
    owner: str  #: unique to this try
    day: str  #: that would be charged
    segments: int  #: to charge; 0 in test mode
    fingerprint: str
    idempotency: str | None
    purpose: Purpose
    deadline_ms: int  #: by the clock of Redis: until then nobody may take it over
    answer: bytes  #: what `GET` and a replay show
    tokens: int = 1
    items: list[tuple[str, bytes]] = []  #: of a batch: tracking ids, and what `GET` shows of each


class Verdict(msgspec.Struct):
    """What admission said; see the head of `admission.lua`."""

    kind: str
    used: int  #: segments of the day, this one included if it was charged
    wait_ms: int = 0
    id: str = ""
    day: str = ""
    answer: bytes = b""


#: See `standing`.
type Standing = Literal["counts", "unclear", "void"]


class Record(msgspec.Struct):
    """A reservation as it stands in Redis (see `sms_contract.keyspace.reservation`)."""

    pending: bool
    deadline_ms: int
    day: str
    answer: bytes
    batch_id: str = ""  #: where it belongs to a batch, whose reservation counts


def read_record(value: bytes) -> Record:
    state, owner, deadline, _, day, _, _, _, answer = value.split(b"|", 8)
    return Record(state == b"p", int(deadline), day.decode(), answer, owner.decode() if state == b"b" else "")


def is_batch(value: bytes) -> bool:
    """Whether a reservation is that of a batch, whose id is no message's."""
    return value.split(b"|", 8)[8].startswith(keyspace.BATCH_ANSWER)


def standing(value: bytes, now_ms: int) -> Standing:
    """
    How far what a reservation, or the head of one, promises may be shown.

    It `counts` where it is done, or its deadline is still to come. It is `void` where nobody knows and its client was told so. Past its
    deadline and neither it is `unclear`: most likely it was confirmed, and Redis has not taken the news yet.
    """
    state, _, deadline, _ = value.split(b"|", 3)
    if state != b"p" or int(deadline) > now_ms:
        return "counts"
    return "unclear" if int(deadline) else "void"


class Admission:
    """The flush behind the coalescer of admissions."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def flush(self, claims: list[Claim], _deadline: float) -> Sequence[Verdict | Exception]:
        groups: dict[tuple[str, str], list[int]] = {}
        for i, claim in enumerate(claims):
            groups.setdefault((claim.principal.client.id, claim.day), []).append(i)
        calls = [_call([claims[i] for i in group]) for group in groups.values()]
        try:
            answers = await self._cache.evaluate(calls)
        except CacheError as error:
            return [CacheError(str(error)) for _ in claims]
        verdicts: list[Verdict | Exception] = [CacheError("no answer")] * len(claims)
        for group, answer in zip(groups.values(), answers, strict=True):
            if isinstance(answer, RedisError):
                continue
            if answer == [b"x"]:
                # Whatever the marker said a moment ago: this client's records are gone, so is much else.
                self._cache.doubt()
                continue
            for i, result in zip(group, answer, strict=True):
                verdicts[i] = _verdict(result)
        return verdicts


def _call(claims: list[Claim]) -> tuple[Script, list[str], list[Any]]:
    principal, day = claims[-1].principal, claims[-1].day
    client = principal.client
    keys = [keyspace.client(client.id), keyspace.bucket(client.id), keyspace.pending(client.id), keyspace.quota(client.id, day)]
    limit = -1 if client.daily_limit is None else client.daily_limit
    arguments: list[Any] = [
        principal.prefix,
        principal.emission,
        principal.burst,
        limit,
        keyspace.QUOTA_TTL,
        keyspace.FINAL_TTL,
        keyspace.IDEMPOTENCY_TTL,
    ]
    items: list[Any] = []
    for number, claim in enumerate(claims, 1):
        reservation = principal.prefix + claim.id
        keys += (reservation, reservation if claim.idempotency is None else keyspace.idempotency(client.id, claim.idempotency))
        charged = claim.day if claim.segments else ""
        head = f"p|{claim.owner}|{claim.deadline_ms}|{claim.segments}|{charged}|{claim.idempotency or ''}|{claim.fingerprint}|0|"
        arguments += (claim.tokens, claim.segments, claim.fingerprint, claim.purpose, head.encode() + claim.answer)
        for tracking_id, shown in claim.items:
            items += (number, tracking_id, f"b|{claim.id}|0|0||||0|".encode() + shown)
    return ADMISSION, keys, arguments + items


def _verdict(result: bytes) -> Verdict:
    if result.startswith(b"n|"):
        return Verdict("n", int(result[2:]))
    kind, used, *rest = result.split(b"|", 3)
    if kind in {b"r", b"t"}:
        record = read_record(rest[1])
        return Verdict(kind.decode(), int(used), id=rest[0].decode(), day=record.day, answer=record.answer)
    return Verdict(kind.decode(), int(used), wait_ms=int(rest[0]) if rest else 0)
