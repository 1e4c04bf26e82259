"""
The read model in Redis, put right after Redis has lost anything.

The order is the safety. Admission is closed first (a client without its record is admitted nowhere); what was being published gets time
to end, and intake to store it; only then does PostgreSQL know what was charged. Clients come last: their records open admission again.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import redis
import structlog

from sms_backend.accounts import projection as accounts
from sms_backend.accounts.models import Client
from sms_backend.core import locks
from sms_backend.core.cache import cache
from sms_backend.core.clock import shared_now
from sms_backend.core.readiness import mark, readiness
from sms_backend.messages.drain import intake_drained
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.projection import project
from sms_backend.messages.view import COLUMNS
from sms_backend.pipeline import counters
from sms_backend.routing import projection as providers
from sms_contract import keyspace
from sms_contract.ids import floor
from sms_contract.status import FINAL

log = structlog.get_logger()

#: Longer than the gateway's deadline for admitting and publishing (3 s), so that nothing admitted before is still on its way to the broker.
PUBLISHES_END = timedelta(seconds=4)
#: Hash: of which Redis a rebuild has begun, and from when (ms) on nothing admitted before can still be published.
_BEGUN = "sms:rebuild"
#: A message lives no longer than its latest `send_at` (30 days) and validity (3 days); after that it is the history's.
_HORIZON = timedelta(days=34)
_CHUNK = 500
#: Every so often (seconds) accounts and providers are compared, for a change that could not be written through.
_COMPARE = 15.0

_STATUSES = f"""
SELECT {COLUMNS} FROM messages
WHERE id > %s AND (status <> ALL(%s) OR updated_at >= %s)
ORDER BY id LIMIT {_CHUNK}
"""  # noqa: S608 - constants


class Phase(StrEnum):
    """How far Redis is from being right."""

    READY = "ready"
    UNREACHABLE = "unreachable"  #: Redis does not answer
    ELSEWHERE = "elsewhere"  #: another process is at it
    SETTLING = "settling"  #: waiting for what was being published
    DRAINING = "draining"  #: waiting for intake to have stored all of it


class _Compared:
    at = float("-inf")


def ensure() -> Phase:
    """Cheap while all is well; otherwise goes one step further, without ever waiting. For a tick each second."""
    try:
        state = readiness()
        if not state.complete:
            return _advance()
        if time.monotonic() - _Compared.at > _COMPARE:
            _Compared.at = time.monotonic()
            refresh()
    except redis.RedisError as error:
        log.warning("readmodel.unreachable", error=type(error).__name__)
        return Phase.UNREACHABLE
    return Phase.READY


def rebuild(tell: Callable[[str], None], *, seconds: float = 120.0) -> Phase:
    """
    For an operator: put back what is missing, or, where nothing is, show everything anew without closing admission.

    Returns the phase it got to within `seconds`.
    """
    if ensure() is Phase.READY:
        tell(f"{refresh()} changes to keys, clients and providers; {accounts.drop_strays()} strays dropped")
        tell(f"{_show_statuses()} statuses shown")
        return Phase.READY
    until = time.monotonic() + seconds
    told: Phase | None = None
    while True:
        phase = ensure()
        if phase is Phase.READY or time.monotonic() > until:
            return phase
        if phase is not told:
            tell(f"not ready: {phase}")
            told = phase
        time.sleep(0.5)


def refresh() -> int:
    """Bring providers, keys and clients up to date; returns how many records changed. Raises `redis.RedisError`."""
    with locks.exclusive(locks.PROJECTION):
        if not readiness().admit:
            return 0
        changed = int(providers.show_providers()) + accounts.show_keys() + accounts.show_clients()
    if changed:
        log.info("readmodel.refreshed", records=changed)
    return changed


def _advance() -> Phase:
    with locks.alone(locks.REBUILD) as mine:
        if not mine:
            return Phase.ELSEWHERE
        state = readiness()
        if not state.admit:
            phase = _open_admission(state.run_id)
            if phase is not Phase.READY:
                return phase
        if not state.statuses:
            began = time.monotonic()
            shown = _show_statuses()
            accounts.drop_strays()
            mark("statuses", state.run_id)
            log.info("readmodel.statuses_shown", messages=shown, seconds=round(time.monotonic() - began, 3))
    return Phase.READY


def _open_admission(run_id: str) -> Phase:
    now = shared_now()
    # Without a client nobody was ever admitted: there is nothing to wait for.
    if Client.objects.exists():
        ended = _publishes_ended(run_id)
        if now < ended:
            return Phase.SETTLING
        if not intake_drained(ended):
            return Phase.DRAINING
    counters.restore(now)
    with locks.exclusive(locks.PROJECTION):
        providers.show_providers()
        accounts.show_keys()
        accounts.show_clients()
        mark("admit", run_id)
    cache.delete(_BEGUN)
    log.info("readmodel.admission_opened")
    return Phase.READY


def _publishes_ended(run_id: str) -> datetime:
    """
    From when on nothing admitted before can still be published.

    Kept in Redis: the ticks come to many processes, and a new loss begins anew.
    """
    begun, ended = cache.hmget(_BEGUN, "run_id", "ended_ms")
    if ended is None or begun != run_id.encode():
        accounts.hide_clients()
        moment = shared_now() + PUBLISHES_END
        cache.hset(_BEGUN, mapping={"run_id": run_id, "ended_ms": int(moment.timestamp() * 1000)})
        log.warning("readmodel.lost", run_id=run_id)
        return moment
    return datetime.fromtimestamp(int(ended) / 1000, UTC)


def _show_statuses() -> int:
    """Messages that are not final, and those that changed while a status is kept; newer ones show themselves."""
    now = shared_now()
    last = floor(int((now - _HORIZON).timestamp() * 1000))
    recent = now - timedelta(seconds=keyspace.FINAL_TTL)
    shown = 0
    while True:
        with hot_cursor() as cursor:
            rows = cursor.execute(_STATUSES, (last, [status.value for status in FINAL], recent)).fetchall()
            # What is owed to quotas is owed by promises, not by this.
            project(cursor, rows, refunds=False)
        shown += len(rows)
        if len(rows) < _CHUNK:
            return shown
        last = rows[-1].id
