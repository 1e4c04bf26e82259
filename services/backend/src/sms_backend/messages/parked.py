"""What could not be processed: looked at, put back into its queue once the reason is mended, or given up by a person."""

from typing import Any

from django.utils import timezone

from sms_backend.core import broker
from sms_backend.core.errors import ConflictError, NotFoundError
from sms_backend.messages.models import Parked
from sms_backend.messages.view import rfc3339
from sms_contract import topology
from sms_contract.envelope import CALLBACK_V1, CANCEL_V1, SUBMISSION_V1

_TYPES = {topology.CALLBACKS: CALLBACK_V1, topology.CONTROL: CANCEL_V1}


def parked_with(number: int) -> Parked:
    """Raises `NotFoundError`."""
    try:
        return Parked.objects.get(pk=number)
    except Parked.DoesNotExist:
        raise NotFoundError(f"nothing is parked under {number}; `parked list` shows what is") from None


def replay(row: Parked) -> Parked:
    """
    Put it back into its queue, confirmed by the broker; done again, it is queued again, and stored once all the same.

    The row stays, so that nothing is lost if it is parked anew. Raises `ConflictError`, `UnreachableError`.
    """
    if not row.body:
        raise ConflictError("what was in it has been erased")
    if row.queue not in {queue.name for queue in topology.INTAKE_QUEUES}:
        raise ConflictError(f"it came from {row.queue}, which nothing consumes")
    # An AMQP message id of its own: parked again, it becomes a row of its own.
    message_id = f"replay-{row.pk}-{timezone.now():%Y%m%dT%H%M%S%f}"
    kind = _TYPES.get(row.queue, SUBMISSION_V1)
    broker.publish(row.queue, bytes(row.body), headers=trace(row), kind=kind, message_id=message_id)
    row.replayed_at = timezone.now()
    row.save(update_fields=["replayed_at"])
    return row


def drop(row: Parked) -> None:
    """Give it up, for good."""
    row.delete()


def trace(row: Parked) -> dict[str, Any]:
    """Of the headers it came with, the one that is ours to pass on."""
    return {name: value for name, value in row.headers.items() if name == "traceparent"}


def document(row: Parked, *, with_body: bool = False) -> dict[str, Any]:
    """A parked message; its body holds numbers and texts, so that it is shown only when asked for."""
    shown = {
        "id": row.pk,
        "queue": row.queue,
        "reason": row.reason,
        "bytes": len(bytes(row.body)),
        "message_id": row.message_id,
        "parked_at": rfc3339(row.parked_at),
        "replayed_at": rfc3339(row.replayed_at),
    }
    if with_body:
        shown |= {"headers": row.headers, "body": bytes(row.body).decode("utf-8", "replace")}
    return shown
