"""What an operator does to one message: take it back, or send it anew."""

import hashlib
import time
from datetime import datetime
from uuid import UUID

from sms_backend.core.errors import ConflictError
from sms_backend.messages import cancel
from sms_backend.messages.events import announce
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.models import Message
from sms_backend.messages.resend_models import Resend
from sms_backend.messages.store import store
from sms_contract.envelope import Cancel, Submission
from sms_contract.ids import uuid7
from sms_contract.phone import is_e164
from sms_contract.status import Status

#: Where a new message may stand for an old one: the old one will not arrive any more, or (`unknown`) nobody can say.
RESENDABLE = frozenset(status for status in Status if status.is_final and status is not Status.DELIVERED)
#: A message without any validity left would be `expired` before it was read.
_LEAST_VALIDITY_MS = 30_000
_MOST_METADATA = 10


def take_back(message: Message) -> None:
    """
    As its client's cancel does: at once where it waits, else before its next attempt. Raises `ConflictError` if it is final.

    Done again, nothing changes.
    """
    if Status(message.status).is_final:
        raise ConflictError(f"it is {message.status}, which is final")
    wish = Cancel(client=message.client_id, requested_at=_now(), tracking_id=str(message.id))
    with hot_cursor() as cursor:
        cancel.guard(cursor, storing=(), canceling={message.client_id})
        announce(cursor, cancel.cancel(cursor, [wish]))


def send_anew(message: Message) -> UUID:
    """
    A new message, under a tracking id of its own, with the same text to the same number; returns that id. Raises `ConflictError`.

    A message has one successor at most: asked for again, the same id is returned, and nothing is sent. Nothing is charged to the client.
    The new one is valid as long as the old one was, tells of itself by the same endpoints or `callback_url`, keeps the reference, and
    names the old one as `resend_of` in its metadata where there is room.
    """
    with hot_cursor() as cursor:
        # Two operators, or two clicks: the second waits here, and finds the first one's.
        row = cursor.execute("SELECT status FROM messages WHERE id = %s FOR UPDATE", (message.id,)).fetchone()
        if (known := Resend.objects.filter(original_id=message.id).first()) is not None:
            made: UUID = known.message_id
            return made
        if row is None or Status(row.status) not in RESENDABLE:
            raise ConflictError(f"it is {row.status if row else 'gone'}; what has arrived, or may still arrive, is not sent anew")
        message = Message.objects.get(pk=message.pk)  # as it is now: what it holds may have been erased meanwhile
        if not is_e164(message.recipient):
            raise ConflictError("its number and its text are no longer kept")
        submission = _submission(message)
        store(cursor, [submission])
        Resend.objects.create(original_id=message.id, message_id=submission.tracking_id)
    return UUID(submission.tracking_id)


def successor_of(message: Message) -> UUID | None:
    """The message that was sent in its place."""
    return Resend.objects.filter(original_id=message.id).values_list("message_id", flat=True).first()


def predecessor_of(message: Message) -> UUID | None:
    """The message in whose place it was sent."""
    return Resend.objects.filter(message_id=message.id).values_list("original_id", flat=True).first()


def _submission(message: Message) -> Submission:
    now = _now()
    tracking_id = uuid7(now)
    begun = message.send_at or message.created_at
    metadata = dict(message.metadata)
    if len(metadata) < _MOST_METADATA:
        metadata["resend_of"] = str(message.id)
    return Submission(
        tracking_id=tracking_id,
        client=message.client_id,
        mode=message.mode,
        to=message.recipient,
        text=message.text,
        fingerprint=hashlib.sha256(f"resend {message.id}".encode()).hexdigest(),
        reserved_at=now,
        segments=message.segments,
        encoding=message.encoding,
        characters=message.characters,
        expires_at=now + max(_LEAST_VALIDITY_MS, _ms(message.expires_at) - _ms(begun)),
        sender=message.sender,
        wire_text=message.wire_text,
        providers=message.providers,
        reference=message.reference,
        callback_url=message.callback_url,
        traffic_type=message.lane,
        on_unknown=message.on_unknown,
        failover_on=message.failover_on,
        metadata=metadata,
        max_segments=message.max_segments,
    )


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _now() -> int:
    return time.time_ns() // 1_000_000
