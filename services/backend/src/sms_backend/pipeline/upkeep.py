"""What the ticks do."""

from datetime import datetime
from functools import partial

from django.db import connection

from sms_backend.core.environment import environment
from sms_backend.messages import cancel, deliveries
from sms_backend.messages import sweep as sweeps
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.inbound import hand_on_incomplete
from sms_backend.messages.projection import project_due
from sms_backend.messages.schema import ensure_partitions
from sms_backend.pipeline import hints, inquiries, reservations
from sms_backend.pipeline.adapters import adapters
from sms_backend.pipeline.persist import persist
from sms_backend.pipeline.reports import adopt_orphans
from sms_backend.pipeline.retry import LOOKED_UP, Waits

_BATCH = 500
_PROMISES = 20
_QUESTIONS = 200
_waits = Waits(unknown=environment.smsgw_unknown_wait, unknown_otp=environment.smsgw_unknown_wait_otp)


def tick() -> None:
    """Each second: hint every lane with due work, callbacks and webhooks; keep the promises that are due."""
    with hot_cursor() as cursor:
        lanes = sweeps.lanes_due(cursor)
        callbacks = sweeps.callbacks_due(cursor)
        webhooks = deliveries.due(cursor)
    hints.hint_dispatch(lanes)
    if callbacks:
        hints.hint_receipts()
    if webhooks:
        hints.hint_webhooks()
    while project_due(_PROMISES) == _PROMISES:
        pass


def sweep() -> None:
    """Every other second: whatever was left behind."""
    for change in (
        partial(
            sweeps.silent_leases,
            limit=_BATCH,
            wait=_waits.unknown,
            wait_otp=_waits.unknown_otp,
            looked_up=adapters.capable(lambda c: c.look_up),
            wait_looked_up=LOOKED_UP,
        ),
        partial(sweeps.decided_unknowns, limit=_BATCH, deduplicating=adapters.capable(lambda c: c.deduplicates)),
        partial(sweeps.expired, limit=_BATCH),
        partial(cancel.stopped, limit=_BATCH),
        partial(adopt_orphans, limit=_BATCH),
    ):
        while persist(change) == _BATCH:
            pass


def inquire() -> None:
    """Every other second: ask providers what they have, and what became of it."""
    while inquiries.ask_due(_QUESTIONS, _waits) == _QUESTIONS:
        pass


def housekeeping(*, now: datetime) -> None:
    """Each minute."""
    ensure_partitions(connection, now)
    reservations.clear_pending(now)
    with hot_cursor() as cursor:
        hand_on_incomplete(cursor, limit=_BATCH)
    with hot_cursor() as cursor:
        cancel.forget(cursor)
    while persist(partial(sweeps.unreported, limit=_BATCH)) == _BATCH:
        pass
