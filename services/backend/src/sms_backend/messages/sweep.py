"""What is left behind, found by its time: leases, unknown outcomes, validity, reports. Each is safe to run twice, and at the same time."""

from collections.abc import Sequence
from typing import Any

import psycopg

from sms_backend.messages.settle import WHY_LOST, refund
from sms_backend.messages.view import COLUMNS

_RETURNED = ", ".join(f"m.{column}" for column in COLUMNS.split(", "))

#: A worker fell silent with the answer, or before it asked: nobody knows. Back to the queue such a message never goes from here. But where
#: the answer was settled while the message was out of sight, as in a partition that an operator had detached, its attempt knows: one that
#: was accepted is sent, one that was not may go to the next.
_LEASES = f"""
WITH silent AS (
    SELECT id, attempts AS number FROM messages WHERE status = 'sending' AND lease_until < now() ORDER BY lease_until LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
), answered AS (
    SELECT s.id, a.outcome = 'accepted' AS taken, a.provider, a.provider_message_id, a.finished_at
    FROM silent s JOIN attempts a ON a.message_id = s.id AND a.number = s.number AND a.outcome NOT IN ('started', 'unknown')
), evidence AS (
    UPDATE attempts a SET outcome = 'unknown', error_code = 'provider.unknown_outcome', error_detail = 'the worker fell silent',
        finished_at = now()
    FROM messages m JOIN silent USING (id) WHERE a.message_id = m.id AND a.number = m.attempts AND a.outcome = 'started'
    RETURNING a.message_id, a.number, a.provider
), questions AS (
    INSERT INTO inquiries (message_id, number, provider, kind, due_at, since)
    SELECT message_id, number, provider, 'look_up', now(), now() FROM evidence WHERE provider = ANY(%(looked_up)s)
    ON CONFLICT (message_id, number) DO NOTHING
)
UPDATE messages m SET version = m.version + 1, updated_at = now(), lease_until = NULL,
    status = CASE WHEN taken THEN 'sent' WHEN NOT taken THEN 'queued' ELSE m.status END,
    sent_at = CASE WHEN taken THEN answered.finished_at ELSE m.sent_at END,
    provider = CASE WHEN NOT taken THEN NULL ELSE m.provider END,
    provider_message_id = coalesce(answered.provider_message_id, m.provider_message_id),
    tried = CASE WHEN NOT taken THEN m.tried || answered.provider::text ELSE m.tried END,
    next_attempt_at = CASE WHEN taken THEN NULL WHEN NOT taken THEN now() ELSE m.next_attempt_at END,
    unknown_until = CASE WHEN taken IS NULL THEN now() + make_interval(secs => CASE
        WHEN m.lane = 'otp' AND m.on_unknown = 'resend' THEN %(wait_otp)s
        WHEN m.provider = ANY(%(looked_up)s) THEN greatest(%(wait)s, %(wait_looked_up)s)
        WHEN m.lane = 'otp' THEN %(wait_otp)s ELSE %(wait)s END) END
FROM silent LEFT JOIN answered USING (id) WHERE m.id = silent.id
RETURNING {_RETURNED}, now() AS settled_at
"""  # noqa: S608 - constants

#: Nothing was found out in time: the policy decides. Once more, or never. Once more goes to the same provider if he recognises what he
#: has already (`provider` stays, and dispatch sees it), else to another if there is one.
_UNKNOWNS = f"""
WITH waited AS (
    SELECT id, on_unknown = 'resend' AND resends = 0 AND expires_at > now() AND cancel_requested_at IS NULL AS again
    FROM messages
    WHERE status = 'sending' AND lease_until IS NULL AND unknown_until <= now() ORDER BY unknown_until LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE messages m SET version = m.version + 1, updated_at = now(), unknown_until = NULL,
    status = CASE WHEN again THEN 'queued' ELSE 'unknown' END,
    resends = m.resends + again::int,
    tried = CASE WHEN again AND m.provider <> ALL(%(deduplicating)s) THEN m.tried || m.provider::text ELSE m.tried END,
    provider = CASE WHEN again AND m.provider <> ALL(%(deduplicating)s) THEN NULL ELSE m.provider END,
    next_attempt_at = CASE WHEN again THEN now() END,
    error_code = CASE WHEN again THEN NULL ELSE 'provider.unknown_outcome' END
FROM waited WHERE m.id = waited.id
RETURNING {_RETURNED}, now() AS settled_at
"""  # noqa: S608 - constants

#: Too late to be sent. One that was sent to a provider who never answered may have arrived all the same; one that a provider had, and a
#: report said was not delivered, has that for its end.
_EXPIRED = f"""
WITH late AS (
    SELECT id FROM messages WHERE status IN ('queued', 'scheduled') AND expires_at <= now() ORDER BY expires_at LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE messages m SET version = m.version + 1, updated_at = now(), next_attempt_at = NULL,
    status = CASE WHEN m.resends > 0 THEN 'unknown' WHEN m.failovers > 0 THEN 'undelivered' ELSE 'expired' END,
    error_code = CASE WHEN m.resends > 0 THEN 'provider.unknown_outcome' WHEN m.failovers > 0 THEN {WHY_LOST} ELSE 'validity.expired' END,
    refunded_at = CASE WHEN m.resends = 0 AND m.failovers = 0 AND m.charged_day IS NOT NULL THEN coalesce(m.refunded_at, now())
        ELSE m.refunded_at END
FROM late WHERE m.id = late.id
RETURNING {_RETURNED}, now() AS settled_at
"""  # noqa: S608 - constants

_UNREPORTED = f"""
WITH quiet AS (
    SELECT id FROM messages WHERE status = 'sent' AND sent_at < now() - interval '72 hours' ORDER BY sent_at LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE messages m SET version = m.version + 1, updated_at = now(), status = 'unknown', error_code = 'provider.unknown_outcome'
FROM quiet WHERE m.id = quiet.id
RETURNING {_RETURNED}, now() AS settled_at
"""  # noqa: S608 - constants


def silent_leases(
    cursor: psycopg.Cursor[Any], *, limit: int, wait: float, wait_otp: float, looked_up: Sequence[str] = (), wait_looked_up: float = 0.0
) -> list[Any]:
    """Sends whose worker fell silent become unknown; waits in seconds. `looked_up`: providers that can be asked what they have."""
    waits = {"wait": wait, "wait_otp": wait_otp, "wait_looked_up": wait_looked_up}
    return cursor.execute(_LEASES, {"limit": limit, "looked_up": list(looked_up), **waits}).fetchall()


def decided_unknowns(cursor: psycopg.Cursor[Any], *, limit: int, deduplicating: Sequence[str] = ()) -> list[Any]:
    """Outcomes that nobody found out in time are decided by each message's policy. `deduplicating`: who recognises what he has already."""
    return cursor.execute(_UNKNOWNS, {"limit": limit, "deduplicating": list(deduplicating)}).fetchall()


def expired(cursor: psycopg.Cursor[Any], *, limit: int) -> list[Any]:
    """Messages whose validity ran out before they were sent; their charge is given back."""
    rows = cursor.execute(_EXPIRED, {"limit": limit}).fetchall()
    refund(cursor, rows)
    return rows


def unreported(cursor: psycopg.Cursor[Any], *, limit: int) -> list[Any]:
    """Messages that a provider has taken and never reported on for 72 hours."""
    return cursor.execute(_UNREPORTED, {"limit": limit}).fetchall()


def lanes_due(cursor: psycopg.Cursor[Any]) -> list[str]:
    """Lanes in which something may be claimed now."""
    rows = cursor.execute(
        """
        SELECT lane FROM unnest(ARRAY['otp', 'transactional', 'promotional']) AS lane
        WHERE EXISTS (
            SELECT 1 FROM messages m WHERE m.lane = lane.lane AND m.status IN ('queued', 'scheduled') AND m.next_attempt_at <= now()
        )
        """
    ).fetchall()
    return [row.lane for row in rows]


def callbacks_due(cursor: psycopg.Cursor[Any]) -> bool:
    """Whether raw callbacks wait to be judged."""
    row = cursor.execute("SELECT EXISTS (SELECT 1 FROM callbacks WHERE judged_at IS NULL) AS due").fetchone()
    return bool(row is not None and row.due)
