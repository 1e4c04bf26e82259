"""
Intake: what came from the broker, committed to PostgreSQL, whole envelopes a transaction.

What cannot be decoded or stored is a row in `parked`, in the same transaction. Only errors of the data itself make a bad row; everything
else (no connection, read-only, disk full, an unknown column during an upgrade) holds and is tried again, unacknowledged.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import psycopg
import structlog

from sms_backend.core import metrics
from sms_backend.core.traces import traces
from sms_backend.messages import cancel
from sms_backend.messages.arrays import plain, texts
from sms_backend.messages.events import announce
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.store import store
from sms_contract import envelope, topology
from sms_contract.envelope import Callback, Cancel, Submission
from sms_contract.ids import is_tracking_id
from sms_contract.status import Status

log = structlog.get_logger()

#: More bad rows than this among one batch, and more than half of it: something else is wrong, and parking would bury it.
_MANY = 20
_TYPES: dict[type, str] = {Submission: envelope.SUBMISSION_V1, Cancel: envelope.CANCEL_V1, Callback: envelope.CALLBACK_V1}

_PARK = """
INSERT INTO parked (queue, reason, body, headers, message_id, parked_at)
SELECT queue, reason, body, headers, message_id, now()
FROM unnest(%s::text[], %s::text[], %s::bytea[], %s::jsonb[], %s::text[]) AS x (queue, reason, body, headers, message_id)
ON CONFLICT (queue, message_id) DO NOTHING
"""
_CALLBACKS = """
INSERT INTO callbacks (id, provider, method, path, query, headers, body, received_at)
SELECT id, provider, method, path, query, headers, body, to_timestamp(received_at / 1000.0)
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::jsonb[], %s::bytea[], %s::bigint[])
    AS x (id, provider, method, path, query, headers, body, received_at)
ORDER BY id
ON CONFLICT (id) DO NOTHING
"""


class TooManyBadRowsError(Exception):
    """Most of a batch cannot be stored: held, and an operator is needed."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """An AMQP message, as it was delivered."""

    queue: str
    body: bytes
    message_id: str
    headers: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of an envelope, decoded, or the reason why it could not be."""

    delivery: Delivery
    index: int
    raw: bytes
    content: Submission | Cancel | Callback | None
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What a commit has done."""

    stored: int = 0
    parked: int = 0
    callbacks: int = 0
    canceled: int = 0  #: how many messages a cancel has changed
    ended: tuple[str, ...] = ()  #: statuses of the messages that are final now
    lanes: frozenset[str] = frozenset()

    def __add__(self, other: "Taken") -> "Taken":
        return Taken(
            stored=self.stored + other.stored,
            parked=self.parked + other.parked,
            callbacks=self.callbacks + other.callbacks,
            canceled=self.canceled + other.canceled,
            ended=self.ended + other.ended,
            lanes=self.lanes | other.lanes,
        )


def take(deliveries: Sequence[Delivery]) -> Taken:
    """
    Store deliveries; when this returns they may be acknowledged.

    Raises `psycopg.Error` or `django.db.Error` where nothing can be stored now, `TooManyBadRowsError` where it would be wrong to go on.
    """
    began = time.monotonic()
    entries = [entry for delivery in deliveries for entry in read(delivery)]
    taken = _commit(entries, _Tally(len(entries)))
    metrics.stored.inc(taken.stored)
    for status in taken.ended:
        metrics.ended.labels(status, "").inc()
    submissions = [entry.content for entry in entries if isinstance(entry.content, Submission)]
    if submissions:
        # One line a commit: a line a message costs as much as storing it.
        if traces.on:
            for submission in submissions:
                about = {"smsgw.tracking_id": submission.tracking_id, "smsgw.client": submission.client}
                traces.told("store", submission.traceparent, seconds=time.monotonic() - began, about=about)
        log.info("intake.stored", stored=taken.stored, tracking_ids=[submission.tracking_id for submission in submissions])
    return taken


def read(delivery: Delivery) -> list[Entry]:
    """The entries of an AMQP message, each decoded alone."""
    if delivery.queue == topology.PARKED:
        return [_dead_letter(delivery)]
    try:
        whole = envelope.decode_envelope(delivery.body)
    except msgspec.DecodeError as error:
        return [Entry(delivery=delivery, index=0, raw=delivery.body, content=None, problem=f"not an envelope: {error}")]
    if whole.type not in _TYPES.values():
        return [Entry(delivery=delivery, index=0, raw=delivery.body, content=None, problem=f"type {whole.type!r} is not known here")]
    return [_decoded(delivery, index, raw, whole) for index, raw in enumerate(whole.entries)]


def _dead_letter(delivery: Delivery) -> Entry:
    """What the broker has given up on, under the queue that it came from."""
    origin = str(delivery.headers.get("x-first-death-queue", topology.PARKED))
    problem = f"given up by the broker: {delivery.headers.get('x-first-death-reason', 'no reason given')}"
    return Entry(delivery=replace(delivery, queue=origin), index=0, raw=delivery.body, content=None, problem=problem)


def _decoded(delivery: Delivery, index: int, raw: msgspec.Raw, whole: envelope.Envelope) -> Entry:
    content: Submission | Cancel | Callback | None = None
    problem = ""
    try:
        content = _content(raw, whole)
    except msgspec.DecodeError as error:
        problem = str(error)
    # Parked alone, an entry is an envelope again, so that it can be replayed alone.
    defaults = None if whole.defaults is None else msgspec.json.encode(whole.defaults)
    body = b"" if content is not None else envelope.encode_envelope(whole.type, [bytes(raw)], defaults)
    return Entry(delivery=delivery, index=index, raw=body, content=content, problem=problem)


def _content(raw: msgspec.Raw, whole: envelope.Envelope) -> Submission | Cancel | Callback:
    match whole.type:
        case envelope.SUBMISSION_V1:
            return envelope.decode_submission(raw, whole.defaults)
        case envelope.CANCEL_V1:
            request = envelope.decode_cancel(raw)
            named = [target for target in (request.tracking_id, request.batch_id) if target is not None]
            if len(named) != 1 or not is_tracking_id(named[0]):
                raise msgspec.ValidationError("names neither one message nor one batch")
            return request
        case _:
            return envelope.decode_callback(raw)


class _Tally:
    """How many rows of a batch turned out bad."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.bad = 0

    def count(self) -> None:
        self.bad += 1
        if self.bad > _MANY and self.bad * 2 > self.size:
            raise TooManyBadRowsError(f"{self.bad} of {self.size} entries cannot be stored")


def _commit(entries: list[Entry], tally: _Tally) -> Taken:
    if not entries:
        return Taken()
    try:
        return _write(entries)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        if not _is_about_the_row(error):
            raise
        if len(entries) > 1:
            middle = len(entries) // 2
            return _commit(entries[:middle], tally) + _commit(entries[middle:], tally)
        tally.count()
        return _write([_refused(entries[0], error)])


def _write(entries: Sequence[Entry]) -> Taken:
    submissions = [entry.content for entry in entries if isinstance(entry.content, Submission)]
    cancels = [entry.content for entry in entries if isinstance(entry.content, Cancel)]
    callbacks = [entry.content for entry in entries if isinstance(entry.content, Callback)]
    bad = [entry for entry in entries if entry.content is None]
    with hot_cursor(plan_once=True) as cursor:
        cancel.guard(cursor, storing={s.client for s in submissions}, canceling={c.client for c in cancels})
        stored = store(cursor, submissions, asked_back=cancel.asked_back(cursor, submissions)) if submissions else None
        changed = cancel.take_back(cursor, stored.recalled) if stored else []
        changed += cancel.cancel(cursor, cancels)
        announce(cursor, changed)
        if callbacks:
            _store_callbacks(cursor, callbacks)
        if bad:
            _park(cursor, bad)
    return Taken(
        stored=stored.inserted if stored else 0,
        parked=len(bad),
        callbacks=len(callbacks),
        canceled=len(changed),
        ended=(stored.ended if stored else ()) + tuple(row.status for row in changed if Status(row.status).is_final),
        lanes=stored.lanes if stored else frozenset(),
    )


def _is_about_the_row(error: psycopg.Error) -> bool:
    # Class 22, or one of our own constraints or columns; "no partition for this row", for one, names none.
    return isinstance(error, psycopg.DataError) or bool(error.diag.constraint_name or error.diag.column_name)


def _refused(entry: Entry, error: psycopg.Error) -> Entry:
    assert entry.content is not None
    raw = envelope.encode_envelope(_TYPES[type(entry.content)], [envelope.encode_entry(entry.content)])
    # The server's message may quote the row; its code and what it names say enough.
    problem = (
        f"cannot be stored: {type(error).__name__} {error.sqlstate or ''} {error.diag.constraint_name or error.diag.column_name or ''}"
    )
    return Entry(delivery=entry.delivery, index=entry.index, raw=raw, content=None, problem=problem.strip())


def _park(cursor: psycopg.Cursor[Any], bad: Sequence[Entry]) -> None:
    cursor.execute(
        _PARK,
        (
            [e.delivery.queue for e in bad],
            [e.problem for e in bad],
            [e.raw for e in bad],
            [msgspec.json.encode(e.delivery.headers, enc_hook=str).decode() for e in bad],
            [f"{e.delivery.message_id}#{e.index}" for e in bad],
        ),
    )
    for entry in bad:
        metrics.parked.labels(entry.delivery.queue).inc()
        log.error("intake.parked", queue=entry.delivery.queue, reason=entry.problem[:200], amqp_message_id=entry.delivery.message_id)


def _store_callbacks(cursor: psycopg.Cursor[Any], callbacks: Sequence[Callback]) -> None:
    unique = list({c.id: c for c in callbacks}.values())
    cursor.execute(
        _CALLBACKS,
        (
            texts(c.id for c in unique),
            texts(c.provider for c in unique),
            texts(c.method for c in unique),
            texts(c.path for c in unique),
            texts(c.query for c in unique),
            texts(msgspec.json.encode(c.headers).decode() for c in unique),
            [c.body for c in unique],
            plain(c.received_at for c in unique),
        ),
    )
