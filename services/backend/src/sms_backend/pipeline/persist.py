"""Committing changes to messages, and showing them."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
import redis
import structlog
from django.db import Error as DatabaseError

from sms_backend.core import metrics
from sms_backend.core.logs import tell_each
from sms_backend.messages import projection
from sms_backend.messages.events import announce
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.store import project_later
from sms_backend.pipeline.hints import hint_webhooks
from sms_contract.status import Status

log = structlog.get_logger()

#: Seconds after which Redis is told by whoever finds the promise.
_GRACE = 2.0
_PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

#: A change to messages: returns the rows (`view.COLUMNS`) that it changed.
Change = Callable[["psycopg.Cursor[Any]"], Sequence[Any]]


def persist(change: Change, *, plan_once: bool = False) -> int:
    """
    Commit a change with the promise to show it and the events that clients want of it; then show it. Returns how many rows changed.

    `plan_once` is `hot_cursor`'s. Raises `psycopg.Error` as it comes.
    """
    rows = _commit(change, plan_once=plan_once)
    tell_each(
        "message.changed",
        (
            {
                "tracking_id": str(row.id),
                "client": row.client_id,
                "provider": row.provider,
                "status": row.status,
                "version": row.version,
                "code": row.error_code,
            }
            for row in rows
        ),
    )
    return len(rows)


def _commit(change: Change, *, plan_once: bool = False) -> Sequence[Any]:
    with hot_cursor(plan_once=plan_once) as cursor:
        rows = change(cursor)
        promise = project_later(cursor, [row.id for row in rows], after=_GRACE) if rows else None
        told = announce(cursor, rows)
    for row in rows:
        if Status(row.status).is_final:
            metrics.ended.labels(row.status, row.provider or "").inc()
    if told:
        hint_webhooks()
    if promise is not None:
        _show(rows, promise)
    return rows


def persist_at_any_cost(change: Change) -> int:
    """
    The same for what a worker has sent, which tells of each attempt itself, however long PostgreSQL is away.

    What a provider has answered is known here and nowhere else: losing it would make the outcome unknown. `change` may be run again.
    """
    tries = 0
    while True:
        try:
            return len(_commit(change, plan_once=True))
        # Not supported: what was prepared before a migration, whose columns are others now. The rollback has forgotten it.
        except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.NotSupportedError, DatabaseError) as error:
            log.warning("settle.postponed", error=type(error).__name__, tries=tries)
            time.sleep(_PAUSES[min(tries, len(_PAUSES) - 1)])
            tries += 1


def _show(rows: Sequence[Any], promise: int) -> None:
    try:
        # A promise that comes back is kept once more.
        with hot_cursor(may_be_lost=True) as cursor:
            projection.project(cursor, rows)
            projection.kept(cursor, [promise])
    except (redis.RedisError, psycopg.Error, DatabaseError) as error:
        # The promise stays, and is kept by the next tick.
        log.warning("projection.postponed", error=type(error).__name__)
