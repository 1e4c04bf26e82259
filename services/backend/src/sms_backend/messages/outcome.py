"""
What a message is, given what its attempts are: a state machine that moves only forward. Pure.

Reports come late, twice and out of order; none of that may show.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from sms_contract.status import Status

STARTED = "started"
ACCEPTED = "accepted"
UNKNOWN = "unknown"

#: A report never takes back a later one; of the final ones `delivered` wins, else the first stands.
_RANK = {None: 0, Status.SENT: 1, Status.UNDELIVERED: 2, Status.EXPIRED: 2, Status.DELIVERED: 3}


class Standing(StrEnum):
    """Where one attempt stands."""

    OPEN = "open"  #: under way
    UNKNOWN = "unknown"  #: may have arrived; nobody can say yet
    TAKEN = "taken"  #: accepted, no final report
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    EXPIRED = "expired"
    FAILED = "failed"  #: certainly not taken


class Tried(Protocol):
    """What is read of an attempt."""

    outcome: str
    report: str | None


def reported(status: Status) -> Status | None:
    """A provider's report as it counts for an attempt that was accepted; None: it moves nothing."""
    match status:
        case Status.SENT | Status.DELIVERED | Status.EXPIRED:
            return status
        case Status.UNDELIVERED | Status.FAILED | Status.REJECTED | Status.CANCELED:
            # It had been taken: whatever the vendor calls it, the network's answer was no.
            return Status.UNDELIVERED
        case _:
            return None


def later(known: str | None, new: Status) -> bool:
    """Whether a report says more than what is known."""
    return _RANK[new] > _RANK[None if known is None else Status(known)]


def standing(attempt: Tried) -> Standing:
    """Where an attempt stands by its outcome and its reports."""
    match attempt.report:
        case Status.DELIVERED:
            return Standing.DELIVERED
        case Status.UNDELIVERED:
            return Standing.UNDELIVERED
        case Status.EXPIRED:
            return Standing.EXPIRED
    match attempt.outcome:
        case "started":
            return Standing.OPEN
        case "unknown":
            return Standing.UNKNOWN
        case "accepted":
            return Standing.TAKEN
        case _:
            return Standing.FAILED


def summed_up(status: Status, attempts: Sequence[Tried]) -> Status | None:
    """
    The status of a message after a report; None: it stays as it is.

    Final statuses do not change, but for `unknown`, which is corrected once, to `delivered` or `undelivered`.
    """
    standings = [standing(attempt) for attempt in attempts]
    if status.is_final and status is not Status.UNKNOWN:
        return None
    if Standing.DELIVERED in standings:
        return Status.DELIVERED
    if Standing.OPEN in standings or Standing.UNKNOWN in standings:
        return None
    if Standing.TAKEN in standings:
        return Status.SENT if status in {Status.SENDING, Status.QUEUED} else None
    if Standing.UNDELIVERED in standings:
        return Status.UNDELIVERED
    if Standing.EXPIRED in standings:
        return Status.UNDELIVERED if status is Status.UNKNOWN else Status.EXPIRED
    return None
