"""Settling attempts, in bulk and conditionally: what comes late changes nothing that has moved on."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import psycopg

from sms_backend.messages import parts, suppressions
from sms_backend.messages.arrays import plain, texts, uuids
from sms_backend.messages.inquiries import Ask, ask_later
from sms_backend.messages.store import charge
from sms_backend.messages.view import COLUMNS
from sms_contract.status import Status

_RETURNED = ", ".join(f"m.{column}" for column in COLUMNS.split(", "))

#: Messages before their attempts, in the order of ids, as whoever applies reports does: one may come before the answer is settled.
_LOCK = "SELECT FROM messages WHERE id = ANY(%s::uuid[]) AND id BETWEEN %s AND %s ORDER BY id FOR NO KEY UPDATE"
# As in `claim.py`, what joins names its ids too.
_FINISH = """
UPDATE attempts a SET outcome = x.outcome, provider_message_id = coalesce(x.provider_message_id, a.provider_message_id),
    error_code = x.error_code, error_detail = x.error_detail, error_provider_code = x.provider_code, finished_at = now()
FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
    AS x (id, number, outcome, provider_message_id, error_code, error_detail, provider_code)
WHERE a.message_id = x.id AND a.number = x.number AND a.outcome IN ('started', 'unknown')
  AND a.message_id = ANY(%s::uuid[]) AND a.message_id BETWEEN %s AND %s
"""

_SETTLE = f"""
UPDATE messages m SET
    status = x.status, version = m.version + 1, updated_at = now(), lease_until = NULL,
    provider = x.provider, provider_message_id = x.provider_message_id,
    error_code = x.error_code, error_detail = x.error_detail, error_provider_code = x.provider_code,
    next_attempt_at = now() + make_interval(secs => x.next_after), unknown_until = now() + make_interval(secs => x.unknown_for),
    round = x.round, tried = coalesce(string_to_array(x.tried, ','), '{{}}'),
    unsuitable = coalesce(string_to_array(x.unsuitable, ','), '{{}}'),
    sent_at = CASE WHEN x.status = 'sent' THEN now() ELSE m.sent_at END,
    refunded_at = CASE WHEN x.refund AND m.charged_day IS NOT NULL THEN coalesce(m.refunded_at, now()) ELSE m.refunded_at END
FROM unnest(
    %s::uuid[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::float8[], %s::float8[], %s::int[], %s::text[], %s::text[], %s::bool[]
) AS x (
    id, number, status, provider, provider_message_id, error_code, error_detail, provider_code,
    next_after, unknown_for, round, tried, unsuitable, refund
)
WHERE m.id = x.id AND m.id = ANY(%s::uuid[]) AND m.id BETWEEN %s AND %s AND m.attempts = x.number AND m.status = 'sending'
RETURNING {_RETURNED}, now() AS settled_at
"""  # noqa: S608 - constants
_LOST = """
SELECT DISTINCT ON (message_id) message_id, error_code, error_detail, error_provider_code FROM attempts
WHERE message_id = ANY(%s::uuid[]) AND message_id BETWEEN %s AND %s AND report = 'undelivered' ORDER BY message_id, number DESC
"""
#: The same as an expression, of the code alone, where `m` is a message.
WHY_LOST = "(SELECT a.error_code FROM attempts a WHERE a.message_id = m.id AND a.report = 'undelivered' ORDER BY a.number DESC LIMIT 1)"
#: Code, detail, the provider's own code.
type _Error = tuple[str | None, str | None, str | None]


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt was, and what the message becomes by it. Durations are seconds from now."""

    message_id: UUID
    number: int
    outcome: str
    status: Status
    round: int
    tried: Sequence[str]
    unsuitable: Sequence[str]
    provider: str | None = None  #: shown with the message: who has it
    provider_message_id: str | None = None
    part_ids: Sequence[str] = ()  #: where reports will come for each part, by ids of their own
    parts: int = 1  #: how many there are
    error_code: str | None = None  #: of the attempt
    error_detail: str | None = None
    error_provider_code: str | None = None
    next_after: float | None = None  #: when it may be claimed again
    unknown_for: float | None = None  #: how long the outcome may be found out before the policy decides
    ask: Ask | None = None  #: what the provider is to be asked about it later
    ask_after: float = 0.0
    refund: bool = False
    opted_out: bool = False  #: the recipient belongs on the suppression list

    @property
    def shows_error(self) -> bool:
        """A message shows an error once it has ended with it."""
        return self.status.is_final


def settle(cursor: psycopg.Cursor[Any], settlements: Sequence[Settlement]) -> list[Any]:
    """Finish attempts and move their messages on; returns the rows (`view.COLUMNS`) that changed. May be run again."""
    if not settlements:
        return []
    s = sorted(settlements, key=lambda settlement: settlement.message_id)
    bounds = (s[0].message_id, s[-1].message_id)
    ids = uuids([x.message_id for x in s])
    cursor.execute(_LOCK, (ids, *bounds))
    lost = errors_of_lost(cursor, [x.message_id for x in s if x.status is Status.UNDELIVERED])
    shown = [lost.get(x.message_id, _error_shown(x)) for x in s]
    numbers = plain([x.number for x in s])
    message_ids = texts([x.provider_message_id for x in s])
    cursor.execute(
        _FINISH,
        (
            ids,
            numbers,
            texts([x.outcome for x in s]),
            message_ids,
            texts([x.error_code for x in s]),
            texts([x.error_detail for x in s]),
            texts([x.error_provider_code for x in s]),
            ids,
            *bounds,
        ),
    )
    rows = cursor.execute(
        _SETTLE,
        (
            ids,
            numbers,
            texts([x.status for x in s]),
            texts([x.provider for x in s]),
            message_ids,
            texts([code for code, _, _ in shown]),
            texts([detail for _, detail, _ in shown]),
            texts([provider_code for _, _, provider_code in shown]),
            plain([x.next_after for x in s]),
            plain([x.unknown_for for x in s]),
            plain([x.round for x in s]),
            texts([",".join(x.tried) or None for x in s]),
            texts([",".join(x.unsuitable) or None for x in s]),
            plain([x.refund for x in s]),
            ids,
            *bounds,
        ),
    ).fetchall()
    parts.expect(cursor, [(x.message_id, x.number, x.provider or "", each, x.parts) for x in s if x.parts > 1 for each in x.part_ids])
    refund(cursor, rows)
    suppressions.add_recipients(cursor, [(x.message_id, None) for x in s if x.opted_out])
    ask_later(cursor, [(x.message_id, x.number, x.provider or "", x.ask, x.ask_after) for x in s if x.ask is not None])
    return rows


def errors_of_lost(cursor: psycopg.Cursor[Any], ids: Sequence[UUID]) -> dict[UUID, _Error]:
    """Why messages were not delivered, by their last attempt that a report says so of, whatever became of attempts after it."""
    if not ids:
        return {}
    rows = cursor.execute(_LOST, (list(ids), min(ids), max(ids))).fetchall()
    return {row.message_id: (row.error_code, row.error_detail, row.error_provider_code) for row in rows}


def _error_shown(settlement: Settlement) -> _Error:
    if not settlement.shows_error:
        return None, None, None
    return settlement.error_code, settlement.error_detail, settlement.error_provider_code


def refund(cursor: psycopg.Cursor[Any], rows: Sequence[Any]) -> None:
    """Give back, to the day charged, what this transaction has marked as refunded."""
    charge(cursor, [(row.client_id, row.charged_day, -row.charged_segments) for row in rows if _is_now(row.refunded_at, row.settled_at)])


def _is_now(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment == now
