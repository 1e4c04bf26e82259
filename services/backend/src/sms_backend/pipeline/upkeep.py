"""What the ticks do."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from sms_backend.accounts import rotation
from sms_backend.core.environment import environment
from sms_backend.messages import cancel, deliveries, erasure, leftovers, partitions, sweeper_runs, tallies
from sms_backend.messages import sweep as sweeps
from sms_backend.messages.drain import intake_drained
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.inbound import hand_on_incomplete
from sms_backend.messages.projection import project_due
from sms_backend.pipeline import balances, hints, inquiries, readmodel, reservations, sweepers
from sms_backend.pipeline.adapters import adapters
from sms_backend.pipeline.persist import Change, persist
from sms_backend.pipeline.reports import adopt_orphans
from sms_backend.pipeline.retry import LOOKED_UP, Waits

_BATCH = 500
_PROMISES = 20
_QUESTIONS = 200
_CHANGES = 5000
#: Queues that were empty this long ago, and intakes that hold nothing older.
_QUIET = timedelta(minutes=5)
_waits = Waits(unknown=environment.smsgw_unknown_wait, unknown_otp=environment.smsgw_unknown_wait_otp)


def tick() -> None:
    """Each second: hint every lane with due work, callbacks and webhooks; keep the promises that are due."""
    sweepers.run({"due": _hint_due, "projection": _keep_promises})


def sweep() -> None:
    """Every other second: whatever was left behind."""
    sweepers.run(
        {
            "leases": _until_short(
                partial(
                    sweeps.silent_leases,
                    limit=_BATCH,
                    wait=_waits.unknown,
                    wait_otp=_waits.unknown_otp,
                    looked_up=adapters.capable(lambda c: c.look_up),
                    wait_looked_up=LOOKED_UP,
                )
            ),
            "unknowns": _until_short(
                partial(sweeps.decided_unknowns, limit=_BATCH, deduplicating=adapters.capable(lambda c: c.deduplicates))
            ),
            "validity": _until_short(partial(sweeps.expired, limit=_BATCH)),
            "cancels": _until_short(partial(cancel.stopped, limit=_BATCH)),
            "orphans": _until_short(partial(adopt_orphans, limit=_BATCH)),
        }
    )


def inquire() -> None:
    """Every other second: ask providers what they have, and what became of it."""
    sweepers.run({"inquiries": _ask_due})


def ask_balances() -> None:
    """Each minute: ask vendors what is left in the accounts whose turn it is."""
    sweepers.run({"balances": balances.ask_due})


def read_model() -> None:
    """Each second: put Redis right, if it has lost anything."""
    sweepers.run({"read_model": readmodel.ensure})


def tally(*, now: datetime) -> None:
    """Every five seconds: what the console shows."""
    sweepers.run({"tallies": partial(_fold, now)})


def housekeeping(*, now: datetime) -> None:
    """Each minute."""
    sweepers.run(
        {
            "partitions": partial(partitions.ensure, now),
            "reservations": partial(reservations.clear_pending, now),
            "inbound_parts": _hand_on_incomplete,
            "cancel_requests": _forget_cancels,
            "key_hashes": rotation.take_hashes,
            "unreported": _until_short(partial(sweeps.unreported, limit=_BATCH)),
        }
    )


def retire(*, now: datetime) -> None:
    """Every quarter of an hour: what is past its time."""
    cutoff = now - timedelta(days=environment.smsgw_retention_days)
    sweepers.run({"retention": partial(partitions.retire, cutoff), "leftovers": partial(_forget_leftovers, now, cutoff)})
    if sweeper_runs.is_due("personal_data"):
        sweepers.run({"personal_data": partial(_erase_aged, now)})
    with hot_cursor() as cursor:
        tallies.prune(cursor, now)


def _hint_due() -> None:
    with hot_cursor() as cursor:
        lanes = sweeps.lanes_due(cursor)
        callbacks = sweeps.callbacks_due(cursor)
        webhooks = deliveries.due(cursor)
    hints.hint_dispatch(lanes)
    if callbacks:
        hints.hint_receipts()
    if webhooks:
        hints.hint_webhooks()


def _keep_promises() -> None:
    while project_due(_PROMISES) == _PROMISES:
        pass


def _until_short(change: Change) -> Callable[[], None]:
    """Commit a change again and again, until it finds less than a batch of rows."""

    def sweep() -> None:
        while persist(change) == _BATCH:
            pass

    return sweep


def _fold(now: datetime) -> None:
    folded = _CHANGES
    while folded == _CHANGES:
        with hot_cursor() as cursor:
            folded = tallies.fold(cursor, now, limit=_CHANGES)


def _ask_due() -> None:
    while inquiries.ask_due(_QUESTIONS, _waits) == _QUESTIONS:
        pass


def _hand_on_incomplete() -> None:
    with hot_cursor() as cursor:
        hand_on_incomplete(cursor, limit=_BATCH)


def _forget_cancels() -> None:
    with hot_cursor() as cursor:
        cancel.forget(cursor)


def _forget_leftovers(now: datetime, cutoff: datetime) -> None:
    # A key that is forgotten while its repeat waits in a queue would let that through.
    if intake_drained(now - _QUIET):
        leftovers.forget_keys(now - _QUIET)
    leftovers.forget_aliases(cutoff)
    leftovers.forget_usage(cutoff)
    leftovers.forget_replayed(cutoff)
    leftovers.forget_inquiries(cutoff)


def _erase_aged(now: datetime) -> None:
    if environment.smsgw_erase_after_days:
        erasure.age(now - timedelta(days=environment.smsgw_erase_after_days), now)
