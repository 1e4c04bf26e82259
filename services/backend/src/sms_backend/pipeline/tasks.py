"""Celery's shells: each a few lines around a core. What they return goes nowhere; what they raise is logged, and done again by a tick."""

import time
from functools import partial

from celery import shared_task

from sms_backend.core.clock import shared_now
from sms_backend.pipeline import dispatch as dispatching
from sms_backend.pipeline import hints, receive, upkeep
from sms_backend.pipeline.attention import attend
from sms_backend.pipeline.webhooks import deliverer

#: How long a woken worker goes on claiming before it makes room, in seconds.
_SHIFT = 20.0


@shared_task(name="pipeline.dispatch")
def dispatch(lane: str, slot: int = 0) -> None:
    """There may be work in a lane."""
    until = time.monotonic() + _SHIFT
    dispatching.dispatch(lane, until=until, slot=slot, answered=hints.arrived, wake=hints.hint_later)
    if time.monotonic() > until:
        hints.hint_dispatch([lane])


@shared_task(name="pipeline.receipts")
def receipts() -> None:
    """There may be callbacks to judge."""
    until = time.monotonic() + _SHIFT
    attend("receipts", partial(receive.receive_all, until=until), until=until)


@shared_task(name="pipeline.webhooks")
def webhooks() -> None:
    """There may be webhooks to deliver."""
    until = time.monotonic() + _SHIFT
    attend("webhooks", partial(deliverer.deliver, until=until), until=until)


@shared_task(name="pipeline.tick")
def tick() -> None:
    """Hint at what is due, and keep promises to Redis."""
    upkeep.tick()


@shared_task(name="pipeline.sweep")
def sweep() -> None:
    """Leases, unknown outcomes, validity, orphaned reports."""
    upkeep.sweep()


@shared_task(name="pipeline.inquire")
def inquire() -> None:
    """Unknown outcomes looked up, reports that have to be fetched."""
    upkeep.inquire()


@shared_task(name="pipeline.balances")
def balances() -> None:
    """What is left in providers' accounts."""
    upkeep.ask_balances()


@shared_task(name="pipeline.readmodel")
def read_model() -> None:
    """Put Redis right, if it has lost anything."""
    upkeep.read_model()


@shared_task(name="pipeline.tally")
def tally() -> None:
    """Add up what has changed, for the console."""
    upkeep.tally(now=shared_now())


@shared_task(name="pipeline.housekeeping")
def housekeeping() -> None:
    """Partitions, pending reservations, messages that nobody ever reported on."""
    upkeep.housekeeping(now=shared_now())


@shared_task(name="pipeline.retire")
def retire() -> None:
    """Partitions past retention, and small tables' rows past their use."""
    upkeep.retire(now=shared_now())
