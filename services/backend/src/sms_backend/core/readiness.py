"""
Whether Redis shows all that it should.

A Redis that was restarted has another `run_id`, one that was emptied has no marker; in both cases Server A admits nothing until Server B
has put everything back.
"""

from dataclasses import dataclass

import redis

from sms_backend.core.cache import cache
from sms_backend.core.errors import NotProjectedError
from sms_contract import keyspace


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """Which Redis this is, and what its marker says."""

    run_id: str
    admit: bool  #: counters, keys and clients are right: sending is open
    statuses: bool  #: a status that is not found does not exist

    @property
    def complete(self) -> bool:
        return self.admit and self.statuses


def readiness() -> Readiness:
    """Ask Redis. Raises `redis.RedisError`."""
    with cache.pipeline(transaction=False) as pipe:
        pipe.info("server")
        pipe.hmget(keyspace.MARKER, "admit", "statuses")
        info, (admit, statuses) = pipe.execute()
    run_id = str(info["run_id"])
    return Readiness(run_id=run_id, admit=_names(admit, run_id), statuses=_names(statuses, run_id))


def mark(field: str, run_id: str) -> None:
    """Declare a part of Redis (`admit` or `statuses`) right. Raises `redis.RedisError`."""
    cache.hset(keyspace.MARKER, field, run_id)


def not_projected(error: redis.RedisError) -> NotProjectedError:
    """What an operator is told when Redis could not be told."""
    return NotProjectedError(
        f"saved in PostgreSQL, but Redis does not answer ({type(error).__name__}), so that the gateway does not know it yet; "
        "it will be brought up to date by itself within a minute after Redis is back"
    )


def _names(value: bytes | None, run_id: str) -> bool:
    return value is not None and value.decode() == run_id
