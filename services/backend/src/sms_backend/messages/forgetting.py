"""
Forgetting one person, now and everywhere: what was sent to a number, what came from it, and what was said about either.

What remains tells nobody who it was, except one thing that the person has asked for: a suppression stays, under a pseudonym, so that
nothing is sent to the number again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
import redis
import structlog

from sms_backend.core.cache import cache
from sms_backend.core.errors import ConflictError
from sms_backend.core.readiness import not_projected
from sms_backend.messages import projection
from sms_backend.messages.erasure import PARKED, erase
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.pseudonyms import ERASED, pseudonym
from sms_backend.messages.store import project_later
from sms_backend.messages.view import COLUMNS
from sms_contract import keyspace
from sms_contract.status import Status

log = structlog.get_logger()

_SECONDS = 600
_MESSAGES = f"""
SELECT {COLUMNS} FROM messages WHERE recipient = ANY(%s) AND (%s::text IS NULL OR client_id = %s) ORDER BY id FOR UPDATE
"""  # noqa: S608 - constants
_INBOUND = """
SELECT id, callback_id, client_id IS NOT NULL AND handed_on_at IS NULL AND received_at > now() - interval '1 day' AS open
FROM inbound_messages WHERE sender = ANY(%s) AND (%s::text IS NULL OR client_id = %s) ORDER BY id FOR UPDATE
"""
_CALLBACKS_OF = "SELECT DISTINCT callback_id FROM receipts WHERE message_id = ANY(%s::uuid[]) AND callback_id IS NOT NULL"
#: What names a number without having led to anything of its own: forged, unreadable, about a message of somebody else's.
_CALLBACKS_WITH = """
SELECT id, judged_at IS NULL AS open FROM callbacks
WHERE position(%(digits)s IN query) > 0 OR position(%(digits)s IN path) > 0 OR position(%(digits)s IN headers::text) > 0
   OR position(convert_to(%(digits)s, 'UTF8') IN body) > 0
"""
_PARKED_WITH = """
SELECT id, replayed_at IS NULL AS open FROM parked
WHERE position(convert_to(%(digits)s, 'UTF8') IN body) > 0 OR position(%(digits)s IN headers::text) > 0
"""
_DELIVERIES = "SELECT id FROM webhook_deliveries WHERE message_id = ANY(%s::uuid[])"
#: Nobody is told any more what would name the person.
_GIVE_UP = """
UPDATE webhook_deliveries SET state = 'failed', reason = 'erased', next_try_at = NULL, lease_until = NULL, finished_at = now()
WHERE id = ANY(%s::uuid[]) AND state = 'pending'
"""
_VERSIONS = f"UPDATE messages SET version = version + 1 WHERE id = ANY(%s::uuid[]) AND id BETWEEN %s AND %s RETURNING {COLUMNS}"  # noqa: S608
_ALIASES = "SELECT alias, message_id FROM aliases WHERE message_id = ANY(%s::uuid[])"
_SUPPRESSIONS = """
WITH named AS (
    DELETE FROM suppressions WHERE recipient = %(number)s AND (%(client)s::text IS NULL OR client_id = %(client)s) RETURNING *
), kept AS (
    INSERT INTO suppressions (client_id, recipient, sender, source, created_at)
    SELECT client_id, %(pseudonym)s, sender, source, created_at FROM named ON CONFLICT DO NOTHING
)
SELECT count(*) AS n FROM named
"""


@dataclass(frozen=True, kw_only=True)
class Forgotten:
    """How many rows each table has lost a person from."""

    messages: int
    attempts: int
    callbacks: int
    webhook_deliveries: int
    inbound_messages: int
    parked: int
    suppressions_kept: int
    redis_records: int


def forget(number: str, *, client_id: str | None = None) -> Forgotten:
    """
    Erase what is known of an E.164 number, of one client's or everybody's.

    Raises `ConflictError` while something for or from it is on its way, and `redis.RedisError`, and has changed nothing in PostgreSQL;
    `NotProjectedError` where that has forgotten, and Redis is told as soon as it answers.
    """
    with hot_cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{_SECONDS}s'")
        found = _Found.of(cursor, number, client_id)
        counts = found.erase(cursor)
        rows = _shown_anew(cursor, found.messages)
        kept = cursor.execute(_SUPPRESSIONS, {"number": number, "client": client_id, "pseudonym": pseudonym(number)}).fetchone()
        # Should Redis not answer after the commit, it is told by a tick.
        project_later(cursor, [row.id for row in rows], after=5.0)
        # Before the commit: should Redis not answer, nothing has happened, and it can be done again.
        gone = _forget_answers(rows, cursor.execute(_ALIASES, ([row.id for row in rows],)).fetchall())
    try:
        with hot_cursor() as cursor:
            projection.project(cursor, rows, refunds=False)
    except redis.RedisError as error:
        raise not_projected(error) from error
    forgotten = Forgotten(**counts, suppressions_kept=kept.n if kept else 0, redis_records=gone + len(rows))
    log.info("privacy.erased", client=client_id, **vars(forgotten))
    return forgotten


@dataclass(frozen=True, kw_only=True)
class _Found:
    """Where a person is named."""

    messages: Sequence[Any]
    inbound: Sequence[UUID]
    callbacks: Sequence[UUID]
    parked: Sequence[int]

    @classmethod
    def of(cls, cursor: psycopg.Cursor[Any], number: str, client_id: str | None) -> "_Found":
        names = [number, pseudonym(number)]
        messages = cursor.execute(_MESSAGES, (names, client_id, client_id)).fetchall()
        inbound = cursor.execute(_INBOUND, (names, client_id, client_id)).fetchall()
        digits = {"digits": number.removeprefix("+")}
        # Whose those are that name the number alone is not known: they go when all is to go.
        callbacks = cursor.execute(_CALLBACKS_WITH, digits).fetchall() if client_id is None else []
        parked = cursor.execute(_PARKED_WITH, digits).fetchall() if client_id is None else []
        _must_rest(
            {
                "messages to it; cancel them, or wait until they are final": sum(not _is_final(row) for row in messages),
                "parts of a message from it that wait for the rest": sum(row.open for row in inbound),
                "reports that are not judged yet": sum(row.open for row in callbacks),
                "parked entries that name it; replay or drop them": sum(row.open for row in parked),
            }
        )
        of_reports = cursor.execute(_CALLBACKS_OF, ([row.id for row in messages],)).fetchall()
        return cls(
            messages=messages,
            inbound=[row.id for row in inbound],
            callbacks=[
                *{
                    *(row.callback_id for row in of_reports),
                    *(row.callback_id for row in inbound),
                    *(row.id for row in callbacks),
                }
            ],
            parked=[row.id for row in parked],
        )

    def erase(self, cursor: psycopg.Cursor[Any]) -> dict[str, int]:
        ids = [row.id for row in self.messages]
        deliveries = [row.id for row in cursor.execute(_DELIVERIES, ([*ids, *self.inbound],)).fetchall()]
        cursor.execute(_GIVE_UP, (deliveries,))
        places = {
            "messages": ids,
            "attempts": ids,
            "callbacks": self.callbacks,
            "webhook_deliveries": deliveries,
            "inbound_messages": self.inbound,
        }
        counts = {table: erase(cursor, table, dict.fromkeys(keys, ERASED)) for table, keys in places.items()}
        counts["parked"] = cursor.execute(f"UPDATE parked SET {PARKED} WHERE id = ANY(%s::bigint[])", (list(self.parked),)).rowcount  # noqa: S608
        return counts


def _is_final(row: Any) -> bool:
    return Status(row.status).is_final


def _must_rest(on_their_way: dict[str, int]) -> None:
    problems = [f"{count} {what}" for what, count in on_their_way.items() if count]
    if problems:
        raise ConflictError(f"nothing was erased, for there are still {'; and '.join(problems)}; then run this again")


def _shown_anew(cursor: psycopg.Cursor[Any], messages: Sequence[Any]) -> list[Any]:
    """Another version, so that Redis takes what is left of a message in place of what it shows."""
    if not messages:
        return []
    ids = [row.id for row in messages]
    return cursor.execute(_VERSIONS, (ids, min(ids), max(ids))).fetchall()


def _forget_answers(rows: Sequence[Any], aliases: Sequence[Any]) -> int:
    """
    Drop what Redis would answer to a repeat of a request. Raises `redis.RedisError`.

    A repeat is then taken for a new request, and found to be none by PostgreSQL, which has the key.
    """
    clients = {row.id: row.client_id for row in rows}
    names = {keyspace.reservation(row.client_id, str(one)) for row in rows for one in (row.id, row.batch_id) if one is not None}
    names |= {keyspace.reservation(clients[alias.message_id], str(alias.alias)) for alias in aliases}
    return int(cache.delete(*names)) if names else 0
