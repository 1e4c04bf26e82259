"""
A circuit per provider: takes it out while it is ill, and tries it out again with one call each ten seconds.

One Redis key a provider holds the state of an open circuit; a closed one has none. Counts lie beside it, by second. Redis away: closed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.resources import files
from typing import Any

import redis
import structlog

from sms_backend.core import metrics
from sms_backend.core.besteffort import BestEffort
from sms_backend.core.cache import cache
from sms_providers.errors import SendError

log = structlog.get_logger()

#: Seconds between two calls to a provider whose circuit is open.
PROBE_EVERY = 10.0
_PROBE_MS = int(PROBE_EVERY * 1000)
#: As `circuit_record.lua` has them.
_RATE_SECONDS, _COUNT_SECONDS = 30, 60
_SCRIPTS = files("sms_backend.routing")
_record = cache.register_script(_SCRIPTS.joinpath("circuit_record.lua").read_text())
_probe = cache.register_script(_SCRIPTS.joinpath("circuit_probe.lua").read_text())
_best_effort = BestEffort("circuits")


class Reason(StrEnum):
    """Why a circuit opened."""

    ERRORS = "errors"  #: 50 within 60 seconds
    ERROR_RATE = "error_rate"  #: half of 20 or more calls within 30 seconds
    MISCONFIGURED = "misconfigured"  #: the account is unusable: one such answer is enough


@dataclass(frozen=True, kw_only=True, slots=True)
class Circuit:
    """An open circuit; moments in ms since 1970, by the clock of Redis."""

    opened_at: int
    probe_at: int  #: from when on somebody may try
    reason: str

    def may_be_probed(self, now_ms: int) -> bool:
        """Whether it is worth asking for the probe: Redis has the last word."""
        return self.probe_at <= now_ms


@dataclass(kw_only=True, slots=True)
class Tally:
    """What calls to one provider came to."""

    calls: int = 0
    errors: int = 0
    misconfigured: bool = False
    probe: str = ""  #: `well` or `ill` where one of the calls was the probe
    codes: set[str] = field(default_factory=set)

    def add(self, error: SendError | None, *, probe: bool) -> None:
        """Count one call."""
        ill = error is not None and error.counts_against_circuit
        self.calls += 1
        self.errors += ill
        self.misconfigured = self.misconfigured or (error is not None and error.opens_circuit)
        if ill and error is not None:
            self.codes.add(error.code)
        if probe:
            self.probe = "ill" if ill else "well"


def state_key(slug: str) -> str:
    """String `<opened ms>|<next probe ms>|<reason>`; none: the circuit is closed."""
    return f"sms:circuit:{slug}"


def counts_key(slug: str) -> str:
    """Hash: calls (`c<second>`) and errors (`e<second>`) of the last minute."""
    return f"sms:circuit:{slug}:counts"


def parse(slugs: Sequence[str], states: Iterable[Any]) -> dict[str, Circuit]:
    """The open ones of what an `MGET` of `state_key`s answered."""
    found: dict[str, Circuit] = {}
    for slug, state in zip(slugs, states, strict=True):
        if state is not None:
            opened, probe, reason = state.decode().split("|", 2)
            found[slug] = Circuit(opened_at=int(opened), probe_at=int(probe), reason=reason)
    return found


def open_circuits(slugs: Sequence[str]) -> dict[str, Circuit]:
    """For operators. Raises `redis.RedisError`."""
    return parse(slugs, cache.mget([state_key(slug) for slug in slugs])) if slugs else {}


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What a closed circuit opens by."""

    calls: int  #: of the last 30 seconds
    errors: int  #: among them
    errors_in_a_minute: int


def counts(slug: str) -> Counts | None:
    """For people: what was counted lately; None while Redis does not answer."""
    try:
        (second, _), kept = cache.time(), cache.hgetall(counts_key(slug))
    except redis.RedisError:
        return None
    named = {(field if isinstance(field, str) else field.decode()): int(n) for field, n in kept.items()}
    aged = [(field[0], second - int(field[1:]), n) for field, n in named.items()]
    return Counts(
        calls=sum(n for kind, age, n in aged if kind == "c" and age < _RATE_SECONDS),
        errors=sum(n for kind, age, n in aged if kind == "e" and age < _RATE_SECONDS),
        errors_in_a_minute=sum(n for kind, age, n in aged if kind == "e" and age < _COUNT_SECONDS),
    )


def claim_probe(slug: str) -> bool:
    """Take the one call that may go to an ill provider now; whoever gets it has to make it."""
    return _best_effort(lambda: bool(_probe(keys=[state_key(slug)], args=[_PROBE_MS])), otherwise=False)


def record(tallies: Mapping[str, Tally]) -> None:
    """Count what calls came to, open and close circuits by it, and tell the operators."""
    if not tallies:
        return
    nothing: list[bytes] = []
    changes = _best_effort(lambda: _recorded(tallies), otherwise=nothing)
    for (slug, tally), change in zip(tallies.items(), changes, strict=False):
        _tell(slug, tally, change.decode())


def reset(slug: str) -> None:
    """Close a circuit and forget its counts: an operator knows better. Raises `redis.RedisError`."""
    if cache.delete(state_key(slug), counts_key(slug)):
        log.info("circuit.reset", provider=slug)


def _recorded(tallies: Mapping[str, Tally]) -> list[bytes]:
    keys: list[str] = []
    arguments: list[str | int] = [_PROBE_MS]
    for slug, tally in tallies.items():
        keys += (state_key(slug), counts_key(slug))
        arguments += (tally.calls, tally.errors, Reason.MISCONFIGURED.value if tally.misconfigured else "", tally.probe)
    changes: list[bytes] = _record(keys=keys, args=arguments)
    return changes


def _tell(slug: str, tally: Tally, change: str) -> None:
    if tally.probe:
        metrics.circuit_probes.labels(slug, tally.probe).inc()
    if change:
        metrics.circuit_changes.labels(slug, change).inc()
    if change == "opened":
        log.error("circuit.opened", provider=slug, misconfigured=tally.misconfigured, codes=sorted(tally.codes))
    elif change == "closed":
        log.warning("circuit.closed", provider=slug)


def said(slugs: Sequence[str]) -> Mapping[str, Circuit] | None:
    """For people: the open ones; None while Redis does not answer."""
    try:
        return open_circuits(slugs)
    except redis.RedisError:
        return None
