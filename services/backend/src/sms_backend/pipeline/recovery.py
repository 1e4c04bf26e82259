"""
After PostgreSQL was restored from a backup: nothing that may have been sent since is sent again.

What the backup has as waiting may have gone out after it was made. Redis, which was not restored, often knows better: what it shows with
a later version is believed. Of the rest nobody knows, and so it becomes `unknown` and is held. Messages that came after the backup are
in the broker still, or gone with the database; those that Redis shows as sent are put back without their text, so that a redelivery is
recognised and a late report finds them.

It may be done again for the same backup, also once Server B runs again: what was stored since the first time is left alone.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import batched
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import redis
import structlog

from sms_backend.core.cache import cache
from sms_backend.core.errors import ConflictError, InvalidError, UnreachableError
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.models import IntakeInstance
from sms_backend.messages.recovery_models import Recovery
from sms_backend.messages.view import COLUMNS
from sms_backend.pipeline.persist import persist
from sms_backend.routing import pauses
from sms_contract.ids import created_ms, is_tracking_id
from sms_contract.message import Message
from sms_contract.status import FINAL, Status

log = structlog.get_logger()

#: An intake says each second that it lives.
_ALIVE = timedelta(seconds=10)
#: For clocks that differ, and a backup that was not made in one moment.
_MARGIN = timedelta(hours=1)
_CHUNK = 500
_MOST_NAMED = 1000
_DECIDED = FINAL | {Status.SENT}
_OPEN_STATUSES = frozenset(Status) - FINAL
_UNKNOWN = "provider.unknown_outcome"

_RETURNED = ", ".join(f"m.{column}" for column in COLUMNS.split(", "))
#: Everything that has not come to its end, in the order in which others lock it.
_OPEN = """
SELECT id, status, version, attempts, next_attempt_at > now() OR stored_at > %s::timestamptz AS left_alone FROM messages
WHERE status IN ('queued', 'scheduled', 'sending', 'sent') AND id > %s ORDER BY id LIMIT %s FOR UPDATE
"""
_BECOME = f"""
UPDATE messages m SET status = x.status, version = x.version, updated_at = now(), next_attempt_at = NULL, lease_until = NULL,
    unknown_until = NULL, provider = coalesce(x.provider, m.provider), attempts = greatest(m.attempts, x.attempts),
    provider_message_id = coalesce(x.provider_message_id, m.provider_message_id), error_code = x.error_code,
    sent_at = coalesce(m.sent_at, x.sent_at), delivered_at = coalesce(m.delivered_at, x.delivered_at)
FROM unnest(%s::uuid[], %s::text[], %s::int[], %s::text[], %s::text[], %s::int[], %s::text[], %s::timestamptz[], %s::timestamptz[])
    AS x (id, status, version, provider, provider_message_id, attempts, error_code, sent_at, delivered_at)
WHERE m.id = x.id AND m.id BETWEEN %s AND %s
RETURNING {_RETURNED}, now() AS settled_at
"""  # noqa: S608 - constants
_STARTED = "UPDATE attempts SET outcome = 'unknown', error_code = 'provider.unknown_outcome', finished_at = now() WHERE outcome = 'started'"
_ATTEMPTS = """
INSERT INTO attempts (message_id, number, provider, outcome, provider_message_id, decision, lookups_missed, started_at)
SELECT id, number, provider, CASE WHEN provider_message_id IS NULL THEN 'unknown' ELSE 'accepted' END, provider_message_id,
       '{"because": "restored"}', 0, coalesce(sent_at, now())
FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::text[], %s::timestamptz[]) AS x (id, number, provider, provider_message_id, sent_at)
ON CONFLICT DO NOTHING
"""
_PUT_BACK = f"""
INSERT INTO messages AS m (
    id, client_id, mode, lane, recipient, sender, text, encoding, segments, characters, max_segments, providers, reference, metadata,
    on_unknown, batch_id, batch_index, status, version, attempts, round, tried, unsuitable, resends, provider, provider_message_id,
    error_code, charged_segments, expires_at, created_at, stored_at, updated_at, sent_at, delivered_at)
SELECT id, client, mode, lane, recipient, sender, '', encoding, segments, characters, segments, '{{}}', reference, metadata,
    'hold', batch_id, 0, status, version, attempts, 0, '{{}}', '{{}}', 0, provider, provider_message_id,
    error_code, 0, expires_at, created_at, now(), now(), sent_at, delivered_at
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::int[], %s::int[], %s::text[],
            %s::jsonb[], %s::uuid[], %s::text[], %s::int[], %s::int[], %s::text[], %s::text[], %s::text[], %s::timestamptz[],
            %s::timestamptz[], %s::timestamptz[], %s::timestamptz[])
    AS x (id, client, mode, lane, recipient, sender, encoding, segments, characters, reference, metadata, batch_id, status, version,
          attempts, provider, provider_message_id, error_code, expires_at, created_at, sent_at, delivered_at)
ON CONFLICT (id) DO NOTHING
RETURNING {_RETURNED}, now() AS settled_at
"""  # noqa: S608 - constants
_THESE = "SELECT id, status, version, attempts FROM messages WHERE id = ANY(%s::uuid[]) AND id BETWEEN %s AND %s ORDER BY id"
_ALIASES = "SELECT alias FROM aliases WHERE alias = ANY(%s::uuid[])"


@dataclass(kw_only=True)
class Recovered:
    """What was found, and done unless it was only looked."""

    held: int = 0  #: nobody knows whether they were sent: now `unknown`
    taken_from_redis: int = 0  #: Redis knew what became of them
    left: int = 0  #: due later than now, sent already, or stored since this backup was first recovered from
    put_back: int = 0  #: came after the backup, and were sent: now there again, without their text
    missing: list[str] = field(default_factory=list)  #: came after the backup, and were not sent: in the broker still, or lost
    missing_more: int = 0  #: how many more those are


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What Redis shows of a message."""

    client: str
    view: Message

    @property
    def status(self) -> Status:
        """`unknown` where it may have been sent, and Redis cannot say."""
        return self.view.status if self.view.status in _DECIDED else Status.UNKNOWN

    @property
    def may_have_been_sent(self) -> bool:
        return self.view.status in _DECIDED or self.view.status is Status.SENDING or self.view.attempts > 0


def recover(since: datetime, now: datetime, *, dry_run: bool = False) -> Recovered:
    """
    Make a restored database safe to work on. `since`: when its backup was made, or earlier.

    Everything is paused first. Raises `InvalidError`, `ConflictError` where intake still runs, `UnreachableError`: Redis may know what
    the backup does not; one that is empty knows nothing, which is no error.
    """
    if since > now:
        raise InvalidError({"since": "that is in the future"})
    _reach_redis()
    if not dry_run:
        if IntakeInstance.objects.filter(heartbeat_at__gt=now - _ALIVE).exists():
            raise ConflictError("intake is running: stop intake, workers and beat first, then run this again")
        pauses.pause()
    found = Recovered()
    work = _Work(since=since, first_done=_first_done(since), found=found, dry_run=dry_run)
    for known in _shown_by_redis():
        work.compare(known)
    work.hold_the_rest()
    if not dry_run:
        with hot_cursor() as cursor:
            cursor.execute(_STARTED)
        Recovery.objects.get_or_create(since=since)
    log.warning("recovery.done", dry_run=dry_run, **{name: value for name, value in vars(found).items() if name != "missing"})
    return found


def _first_done(since: datetime) -> datetime | None:
    """When this very backup was recovered from, which no row of the backup itself can say."""
    return Recovery.objects.filter(since=since).values_list("recovered_at", flat=True).first()


def _reach_redis() -> None:
    try:
        cache.ping()
    except redis.RedisError as error:
        raise UnreachableError(
            f"Redis does not answer ({type(error).__name__}); it may know what was sent since the backup, so nothing was changed. "
            "Start it, an empty one if its data are lost, and run this again"
        ) from error


def _shown_by_redis() -> Iterator[dict[str, _Known]]:
    """All statuses, some at a time, by tracking id."""
    for names in batched(cache.scan_iter(match="sms:{*}:m:*", count=10_000), _CHUNK):
        known: dict[str, _Known] = {}
        values: list[Any] = cache.mget(names)
        for name, value in zip(names, values, strict=True):
            if value is None:
                continue  # its time ran out meanwhile
            client = name.decode().partition("{")[2].partition("}")[0]
            view = msgspec.json.decode(value.split(b"|", 2)[2], type=Message)
            if is_tracking_id(view.tracking_id):
                known[view.tracking_id] = _Known(client=client, view=view)
        yield known


class _Work:
    """Both sides compared: what Redis shows first, then what it does not know."""

    def __init__(self, *, since: datetime, first_done: datetime | None, found: Recovered, dry_run: bool) -> None:
        self._first = int((since - _MARGIN).timestamp() * 1000)
        self._first_done = first_done
        self._found = found
        self._dry_run = dry_run
        self._decided: set[UUID] = set()

    def compare(self, known: Mapping[str, _Known]) -> None:
        """Take over what Redis knows better, and put back what it alone knows."""
        if not known:
            return
        ids = sorted(known)
        with hot_cursor() as cursor:
            rows = cursor.execute(_THESE, (ids, ids[0], ids[-1])).fetchall()
            there = {str(row.id) for row in rows} | {str(row.alias) for row in cursor.execute(_ALIASES, (ids,)).fetchall()}
        changes = [
            self._better(row, known[str(row.id)])
            for row in rows
            if row.status in _OPEN_STATUSES and known[str(row.id)].view.version > row.version
        ]
        self._decided.update(change[0] for change in changes)
        self._write(changes)
        self._put_back([known[one] for one in ids if one not in there and created_ms(one) >= self._first])

    def hold_the_rest(self) -> None:
        """Nobody knows what became of those that waited, or were under way."""
        place = UUID(int=0)
        while True:
            with hot_cursor() as cursor:
                rows = cursor.execute(_OPEN, (self._first_done, place, _CHUNK)).fetchall()
            if not rows:
                return
            place = rows[-1].id
            changes = []
            for row in rows:
                if row.id in self._decided:
                    continue
                if row.status == Status.SENT or row.left_alone:
                    self._found.left += 1
                    continue
                self._found.held += 1
                changes.append((row.id, Status.UNKNOWN, row.version + 1, None, None, row.attempts, _UNKNOWN, None, None))
            self._write(changes)

    def _better(self, row: Any, newer: _Known) -> tuple[Any, ...]:
        if newer.status is newer.view.status:
            self._found.taken_from_redis += 1
            return (row.id, newer.status, newer.view.version, *_outcome(newer.view))
        # Above what Redis shows, so that it is shown.
        self._found.held += 1
        provider, provider_message_id, attempts, _, sent_at, delivered_at = _outcome(newer.view)
        return (row.id, Status.UNKNOWN, newer.view.version + 1, provider, provider_message_id, attempts, _UNKNOWN, sent_at, delivered_at)

    def _put_back(self, lost: list[_Known]) -> None:
        sent = [one for one in lost if one.may_have_been_sent]
        missing = [one.view.tracking_id for one in lost if not one.may_have_been_sent]
        self._found.put_back += len(sent)
        self._decided.update(UUID(one.view.tracking_id) for one in sent)
        room = _MOST_NAMED - len(self._found.missing)
        self._found.missing += missing[:room]
        self._found.missing_more += len(missing[room:])
        if sent and not self._dry_run:
            persist(partial(_insert, sent=sent))

    def _write(self, changes: list[tuple[Any, ...]]) -> None:
        if changes and not self._dry_run:
            persist(partial(_become, changes=sorted(changes)))


def _outcome(view: Message) -> tuple[Any, ...]:
    provider = view.provider
    error = None if view.error is None else view.error.code
    return (
        provider and provider.name,
        provider and provider.message_id,
        view.attempts,
        error,
        view.sent_at,
        view.delivered_at,
    )


def _become(cursor: psycopg.Cursor[Any], *, changes: list[tuple[Any, ...]]) -> list[Any]:
    columns = [list(column) for column in zip(*changes, strict=True)]
    rows = cursor.execute(_BECOME, (*columns, changes[0][0], changes[-1][0])).fetchall()
    _add_attempts(cursor, rows)
    return rows


def _insert(cursor: psycopg.Cursor[Any], *, sent: list[_Known]) -> list[Any]:
    rows = cursor.execute(_PUT_BACK, [list(column) for column in zip(*map(_row, sent), strict=True)]).fetchall()
    _add_attempts(cursor, rows)
    return rows


def _row(one: _Known) -> tuple[Any, ...]:
    view = one.view
    provider, provider_message_id, attempts, error, sent_at, delivered_at = _outcome(view)
    undecided = one.status is not view.status
    return (
        view.tracking_id,
        one.client,
        view.mode,
        view.traffic_type,
        view.to,
        view.sender,
        view.segments.encoding,
        view.segments.count,
        view.segments.characters,
        view.reference,
        msgspec.json.encode(view.metadata).decode(),
        view.batch_id,
        one.status,
        view.version + undecided,
        attempts,
        provider,
        provider_message_id,
        _UNKNOWN if undecided else error,
        view.expires_at or view.created_at,
        view.created_at,
        sent_at,
        delivered_at,
    )


def _add_attempts(cursor: psycopg.Cursor[Any], rows: Iterable[Any]) -> None:
    """So that a report, which comes by the provider's id, finds its message."""
    tried = [row for row in rows if row.provider is not None and row.attempts]
    if tried:
        columns = ("id", "attempts", "provider", "provider_message_id", "sent_at")
        cursor.execute(_ATTEMPTS, [[getattr(row, column) for row in tried] for column in columns])
