"""A row as *the message* that clients see."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sms_contract.message import ErrorView, Message, ProviderView
from sms_contract.segments import Encoding, Segments
from sms_contract.status import Status

#: What `message_view`, refunds and webhooks read, for statements that return it.
COLUMNS = (
    "id, client_id, batch_id, status, version, mode, recipient, sender, segments, encoding, characters, reference, metadata, lane, "
    "provider, provider_message_id, error_code, error_detail, error_provider_code, attempts, send_at, expires_at, created_at, "
    "updated_at, sent_at, delivered_at, charged_day, charged_segments, refunded_at, callback_url"
)
_UTC = "+00:00"


def rfc3339(moment: datetime | None) -> str | None:
    """UTC with milliseconds and `Z`."""
    if moment is None:
        return None
    text = moment.isoformat(timespec="milliseconds")
    if not text.endswith(_UTC):  # as nearly all are: they come from our connections
        text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.removesuffix(_UTC) + "Z"


def message_view(row: Any, aliases: list[UUID] | None = None) -> Message:
    """Takes anything with the attributes of `messages.models.Message`."""
    status = Status(row.status)
    created = rfc3339(row.created_at)
    updated = rfc3339(row.updated_at)
    assert created is not None
    assert updated is not None
    return Message(
        tracking_id=str(row.id),
        aliases=[str(alias) for alias in aliases or ()],
        batch_id=None if row.batch_id is None else str(row.batch_id),
        status=status,
        is_final=status.is_final,
        version=row.version,
        mode=row.mode,
        to=row.recipient,
        sender=row.sender,
        segments=Segments(row.segments, Encoding(row.encoding), row.characters),
        reference=row.reference,
        metadata=row.metadata,
        traffic_type=row.lane,
        provider=None if row.provider is None else ProviderView(name=row.provider, message_id=row.provider_message_id),
        error=None
        if row.error_code is None
        else ErrorView(code=row.error_code, detail=row.error_detail, provider_code=row.error_provider_code),
        attempts=row.attempts,
        send_at=rfc3339(row.send_at),
        expires_at=rfc3339(row.expires_at),
        created_at=created,
        updated_at=updated,
        sent_at=rfc3339(row.sent_at),
        delivered_at=rfc3339(row.delivered_at),
    )
