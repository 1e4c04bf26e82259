"""
Hints: "there may be work in this lane". Best effort; a lost, doubled or late one costs at most a second.

At most one is outstanding per lane and slot, so that a busy intake does not fill the queue with what one claim answers. It is outstanding
until the very moment before that claim: what is committed by then is found by it, and what comes later may hint anew.
"""

import threading
from collections.abc import Collection, Iterable

import redis
import structlog
from amqp.exceptions import AMQPError
from celery import current_app
from kombu.exceptions import OperationalError

from sms_backend.core.cache import cache
from sms_contract import topology

log = structlog.get_logger()

#: Claims of one lane that may run side by side.
SLOTS = 2
#: Seconds between ticks, and the least for which waking a worker pays.
_TICK = 1.0
_SOONEST = 0.1
#: Lanes that are to be woken.
_awaited: set[str] = set()
#: After this many milliseconds a hint counts as lost.
_OUTSTANDING_MS = 1000


def hint_dispatch(lanes: Iterable[str]) -> None:
    """Wake a worker for each lane."""
    for lane in lanes:
        slot = _free_slot(lane)
        if slot is not None:
            _send("pipeline.dispatch", (lane, slot), topology.DISPATCH[lane])


def hint_later(lane: str, seconds: float) -> None:
    """Wake a worker when the next message of a lane has its turn, if that is before the next tick. One wait a lane and process."""
    if seconds < _TICK and lane not in _awaited:
        _awaited.add(lane)
        timer = threading.Timer(max(seconds, _SOONEST), _hint_awaited, (lane,))
        timer.daemon = True
        timer.start()


def _hint_awaited(lane: str) -> None:
    _awaited.discard(lane)
    hint_dispatch([lane])


def hint_receipts() -> None:
    """Wake a worker for raw callbacks."""
    if _take("receipts", 0):
        _send("pipeline.receipts", (), topology.RECEIPTS)


def hint_webhooks() -> None:
    """Wake a worker for webhooks."""
    if _take("webhooks", 0):
        _send("pipeline.webhooks", (), topology.WEBHOOKS)


def attended(kind: str) -> None:
    """A worker is at it, and looks by himself: for a second no hint is needed."""
    try:
        cache.set(_key(kind, 0), b"1", px=_OUTSTANDING_MS)
    except redis.RedisError as error:
        log.info("hint.not_kept", error=type(error).__name__)


def arrived(kind: str, slots: Collection[int] = (0,)) -> None:
    """A worker is awake, and looks right now: the next hint may come."""
    try:
        cache.delete(*(_key(kind, slot) for slot in slots))
    except redis.RedisError as error:
        log.info("hint.not_cleared", error=type(error).__name__)


def _free_slot(lane: str) -> int | None:
    return next((slot for slot in range(SLOTS) if _take(lane, slot)), None)


def _take(kind: str, slot: int) -> bool:
    try:
        return bool(cache.set(_key(kind, slot), b"1", nx=True, px=_OUTSTANDING_MS))
    except redis.RedisError:
        # Without Redis there is a hint too many, never one too few.
        return slot == 0


def _key(kind: str, slot: int) -> str:
    return f"sms:hint:{kind}:{slot}"


# `expiration` is the broker's to keep. With Celery's `expires` a worker whose clock is ahead by more would throw every hint away.
# The one retry goes by another connection, where kombu takes a refusal for a broken one: see the gateway's `refusals`.
def _send(task: str, arguments: tuple[object, ...], queue: str) -> None:
    try:
        current_app.send_task(
            task, args=arguments, queue=queue, expiration=10, confirm_timeout=5, retry=True, retry_policy={"max_retries": 1}
        )
    except (OperationalError, AMQPError, OSError) as error:
        log.warning("hint.lost", task=task, error=type(error).__name__)
