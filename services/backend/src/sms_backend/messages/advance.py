"""Applying reports: under the row lock of their messages, each once, whatever their order, those on parts added up."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from sms_backend.messages import parts, suppressions
from sms_backend.messages.arrays import plain, texts, uuids
from sms_backend.messages.outcome import ACCEPTED, STARTED, UNKNOWN, later, summed_up
from sms_backend.messages.parts import Place
from sms_backend.messages.view import COLUMNS
from sms_contract.status import Status

_RETURNED = ", ".join(f"m.{column}" for column in COLUMNS.split(", "))
#: How many times a report may start the next provider.
MOST_FAILOVERS = 3
#: Whether another provider could have a message (`_LOCK`), given those that will not have it any more.
Onward = Callable[[Any, Collection[str]], bool]

_LOCK = f"""
SELECT {COLUMNS}, providers, unsuitable, failovers,
    'undelivered' = ANY(failover_on) AND failovers < {MOST_FAILOVERS} AND cancel_requested_at IS NULL AND expires_at > now()
        AS may_fail_over
FROM messages WHERE id = ANY(%s::uuid[]) AND id BETWEEN %s AND %s ORDER BY id FOR UPDATE
"""  # noqa: S608 - constants
# Reports of one batch may be of messages far apart. So what joins names their ids too: between the least and the greatest there may be any
# number of others, and PostgreSQL might choose to read them all.
#: No attempt is open or unknown then: whatever was sent again after an unclear answer is settled too.
_FAIL_OVER = f"""
UPDATE messages m SET
    status = 'queued', version = m.version + 1, updated_at = now(), lease_until = NULL, unknown_until = NULL, next_attempt_at = now(),
    provider = NULL, provider_message_id = NULL, tried = '{{}}', unsuitable = string_to_array(x.unsuitable, ','),
    failovers = m.failovers + 1, resends = 0
FROM unnest(%s::uuid[], %s::text[]) AS x (id, unsuitable) WHERE m.id = x.id AND m.id = ANY(%s::uuid[]) AND m.id BETWEEN %s AND %s
RETURNING {_RETURNED}, now() AS settled_at
"""  # noqa: S608 - constants
_ATTEMPTS = """
SELECT message_id, number, provider, coalesce(reference, message_id::text) AS reference, outcome, report, provider_message_id FROM attempts
WHERE message_id = ANY(%s::uuid[]) AND message_id BETWEEN %s AND %s ORDER BY message_id, number
"""
_REPORT = """
UPDATE attempts a SET outcome = x.outcome, report = x.report, provider_message_id = coalesce(a.provider_message_id, x.provider_message_id),
    error_code = coalesce(x.error_code, a.error_code), error_provider_code = coalesce(x.provider_code, a.error_provider_code),
    finished_at = coalesce(a.finished_at, now()), reported_at = now()
FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
    AS x (id, number, outcome, report, provider_message_id, error_code, provider_code)
WHERE a.message_id = x.id AND a.number = x.number AND a.message_id = ANY(%s::uuid[]) AND a.message_id BETWEEN %s AND %s
"""
_ADVANCE = f"""
UPDATE messages m SET
    status = x.status, version = m.version + 1, updated_at = now(), lease_until = NULL, unknown_until = NULL, next_attempt_at = NULL,
    provider = x.provider, provider_message_id = coalesce(x.provider_message_id, m.provider_message_id),
    error_code = x.error_code, error_detail = NULL, error_provider_code = x.provider_code,
    sent_at = coalesce(m.sent_at, now()),
    -- A vendor's clock may be off, or tell minutes only: never before it was sent, never after now.
    delivered_at = CASE WHEN x.status = 'delivered' THEN least(now(), greatest(coalesce(x.occurred_at, now()), m.sent_at, m.created_at)) END
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
    AS x (id, status, provider, provider_message_id, error_code, provider_code, occurred_at)
WHERE m.id = x.id AND m.id = ANY(%s::uuid[]) AND m.id BETWEEN %s AND %s
RETURNING {_RETURNED}, now() AS settled_at
"""  # noqa: S608 - constants


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What a provider says of one attempt, in our words."""

    message_id: UUID
    number: int
    provider: str
    status: Status  #: `sent`, `delivered`, `undelivered` or `expired`
    provider_message_id: str | None = None
    error_code: str | None = None
    provider_code: str | None = None
    occurred_at: datetime | None = None
    part: Place | None = None  #: None: it speaks of the whole


@dataclass(frozen=True, kw_only=True, slots=True)
class Advanced:
    """What reports have led to."""

    rows: Sequence[Any] = ()  #: messages (`view.COLUMNS`) that changed
    #: Messages that are not to be seen, as while their partition is detached: what was reported of them has not been applied.
    missing: frozenset[UUID] = frozenset()


@dataclass(kw_only=True, slots=True)
class _Attempt:
    message_id: UUID
    number: int
    provider: str
    reference: str
    outcome: str
    report: str | None
    provider_message_id: str | None
    told: Report | None = field(default=None)


def _nowhere(_message: Any, _unsuitable: Collection[str]) -> bool:
    return False


def advance(cursor: psycopg.Cursor[Any], reports: Sequence[Report], *, onward: Onward = _nowhere) -> Advanced:
    """
    Apply reports to their attempts and move their messages on. May be run again.

    Where a client has asked for it, a message that was not delivered goes `onward`, if there is anywhere to go.
    A report about an attempt of another provider moves nothing.
    """
    if not reports:
        return Advanced()
    ids = sorted({report.message_id for report in reports})
    bounds = (ids[0], ids[-1])
    messages = {row.id: row for row in cursor.execute(_LOCK, (uuids(ids), *bounds)).fetchall()}
    missing = frozenset(ids) - messages.keys()
    attempts: dict[UUID, list[_Attempt]] = {}
    for row in cursor.execute(_ATTEMPTS, (uuids(messages), *bounds)).fetchall():
        attempts.setdefault(row.message_id, []).append(_Attempt(**row._asdict()))
    heard = parts.known(cursor, ids) if any(report.part for report in reports) else parts.Parts()
    for report in reports:
        for attempt in _meant(attempts.get(report.message_id, ()), report):
            _hear(attempt, _of_the_whole(heard, attempt, report))
    heard.keep(cursor)
    told = [attempt for group in attempts.values() for attempt in group if attempt.told is not None]
    _write_attempts(cursor, told, bounds)
    return Advanced(rows=_write_messages(cursor, messages, attempts, bounds, onward), missing=missing)


def _meant(attempts: Sequence[_Attempt], report: Report) -> list[_Attempt]:
    """The attempt, and those that went out under the same reference: whoever recognises that has one message of them all."""
    named = next((a for a in attempts if a.number == report.number and a.provider == report.provider), None)
    if named is None:
        return []
    return [a for a in attempts if a is named or (a.provider == named.provider and a.reference == named.reference)]


def _of_the_whole(heard: parts.Parts, attempt: _Attempt, report: Report) -> Report:
    if report.part is None:
        return report
    said = parts.Heard(report=report.status, error_code=report.error_code, provider_code=report.provider_code)
    whole = heard.hear((attempt.message_id, attempt.number), report.part, provider=attempt.provider, heard=said)
    status = Status(whole.report or Status.SENT)
    return replace(report, status=status, error_code=whole.error_code, provider_code=whole.provider_code)


def _hear(attempt: _Attempt, report: Report) -> None:
    if not later(attempt.report, report.status):
        return
    attempt.report = report.status
    attempt.told = report
    attempt.provider_message_id = attempt.provider_message_id or report.provider_message_id
    if attempt.outcome in {STARTED, UNKNOWN}:
        # Nobody reports what he has not taken.
        attempt.outcome = ACCEPTED


def _write_attempts(cursor: psycopg.Cursor[Any], told: list[_Attempt], bounds: tuple[UUID, UUID]) -> None:
    if told:
        ids = uuids(a.message_id for a in told)
        cursor.execute(
            _REPORT,
            (
                ids,
                plain(a.number for a in told),
                plain(a.outcome for a in told),
                plain(a.report for a in told),
                texts(a.provider_message_id for a in told),
                texts(a.told.error_code if a.told else None for a in told),
                texts(a.told.provider_code if a.told else None for a in told),
                ids,
                *bounds,
            ),
        )


def _write_messages(
    cursor: psycopg.Cursor[Any],
    messages: dict[UUID, Any],
    attempts: dict[UUID, list[_Attempt]],
    bounds: tuple[UUID, UUID],
    onward: Onward,
) -> list[Any]:
    changes: list[tuple[UUID, Status, _Attempt]] = []
    elsewhere: list[tuple[UUID, list[str]]] = []
    for message_id, message in messages.items():
        heard = [attempt for attempt in attempts.get(message_id, ()) if attempt.told is not None]
        status = summed_up(Status(message.status), attempts.get(message_id, ())) if heard else None
        if status is not None and status != message.status:
            if status is Status.UNDELIVERED and (done := _elsewhere(message, attempts[message_id], onward)):
                elsewhere.append((message_id, done))
                continue
            speaker = next((a for a in heard if a.report == status), heard[-1])
            changes.append((message_id, status, speaker))
    moved: list[Any] = []
    if elsewhere:
        unsuitable = [",".join(done) for _, done in elsewhere]
        ids = uuids(message_id for message_id, _ in elsewhere)
        moved = cursor.execute(_FAIL_OVER, (ids, unsuitable, ids, *bounds)).fetchall()
    if not changes:
        return moved
    ids = uuids(message_id for message_id, _, _ in changes)
    spoken = [speaker.told for _, _, speaker in changes]
    return (
        moved
        + cursor.execute(
            _ADVANCE,
            (
                ids,
                plain(status for _, status, _ in changes),
                texts(speaker.provider for _, _, speaker in changes),
                texts(speaker.provider_message_id for _, _, speaker in changes),
                texts(r.error_code if r and r.status is not Status.DELIVERED else None for r in spoken),
                texts(r.provider_code if r and r.status is not Status.DELIVERED else None for r in spoken),
                texts(r.occurred_at.isoformat() if r and r.occurred_at else None for r in spoken),
                ids,
                *bounds,
            ),
        ).fetchall()
    )


def _elsewhere(message: Any, attempts: Sequence[_Attempt], onward: Onward) -> list[str]:
    """Whoever will not have it any more, where a report is to start the next provider; empty: it ends here."""
    told = [attempt.told for attempt in attempts if attempt.told is not None and attempt.report == Status.UNDELIVERED]
    if not message.may_fail_over or Status(message.status).is_final or not told:
        return []
    if any(report.error_code == suppressions.CODE for report in told):
        # Who wants nothing from this sender wants nothing by another way.
        return []
    done = list(dict.fromkeys([*message.unsuitable, *(a.provider for a in attempts if a.report in {Status.UNDELIVERED, Status.EXPIRED})]))
    return done if onward(message, done) else []
