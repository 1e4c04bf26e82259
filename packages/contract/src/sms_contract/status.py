"""What a message may be, and what it may never become again."""

from enum import StrEnum


class Status(StrEnum):
    """The public status of a message; one spelling in the API, the database, logs and metrics."""

    ACCEPTED = "accepted"  #: durably queued, not yet stored by Server B
    SCHEDULED = "scheduled"  #: stored, waiting for `send_at`
    QUEUED = "queued"  #: stored, waiting for a provider, also between attempts
    SENDING = "sending"  #: an attempt is under way, or its outcome is being found out
    SENT = "sent"  #: a provider has taken it
    DELIVERED = "delivered"  #: the handset has it
    UNDELIVERED = "undelivered"  #: the network refused it after a provider had taken it
    EXPIRED = "expired"  #: its validity ran out
    FAILED = "failed"  #: no provider would take it
    REJECTED = "rejected"  #: our policy refused it; no provider was tried
    CANCELED = "canceled"  #: the client took it back in time
    UNKNOWN = "unknown"  #: handed over with no clear answer; may have arrived
    RECEIVED = "received"  #: inbound (MO)

    @property
    def is_final(self) -> bool:
        """True where no further change is expected; `unknown` may be corrected once, by a late report."""
        return self in FINAL


FINAL = frozenset(
    {
        Status.DELIVERED,
        Status.UNDELIVERED,
        Status.EXPIRED,
        Status.FAILED,
        Status.REJECTED,
        Status.CANCELED,
        Status.UNKNOWN,
        Status.RECEIVED,
    }
)

#: Whom a dispatcher may claim once their time has come.
WAITING = frozenset({Status.SCHEDULED, Status.QUEUED})


class TrafficType(StrEnum):
    """The lane a message travels in: `otp` overtakes, `promotional` waits for both."""

    OTP = "otp"
    TRANSACTIONAL = "transactional"
    PROMOTIONAL = "promotional"


class OnUnknown(StrEnum):
    """What to do when a provider never gave a clear answer and nothing could be found out."""

    RESEND = "resend"  #: once more, accepting that a phone may get it twice
    HOLD = "hold"  #: never, accepting that a phone may not get it


class Mode(StrEnum):
    """Live keys reach real providers; test keys reach the built-in `test` provider and nothing else."""

    LIVE = "live"
    TEST = "test"
