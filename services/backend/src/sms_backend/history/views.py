"""What the history shows: pages, one message's story, rows of a table."""

import csv
import io
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import msgspec

from sms_backend.messages.models import Attempt, Receipt
from sms_backend.messages.search import Search, page
from sms_backend.messages.selectors import Story
from sms_backend.messages.view import message_view, rfc3339
from sms_contract.message import ErrorView, Message

#: Messages that one query for a table fetches.
_AT_ONCE = 1000
COLUMNS = (
    *("tracking_id", "batch_id", "status", "is_final", "version", "mode", "to", "from", "segments", "encoding", "characters", "reference"),
    *("metadata", "traffic_type", "provider", "provider_message_id", "error_code", "error_detail", "error_provider_code", "attempts"),
    *("send_at", "expires_at", "created_at", "updated_at", "sent_at", "delivered_at"),
)


class AttemptView(msgspec.Struct, kw_only=True):
    """One try to hand a message to a provider."""

    number: int
    provider: str
    outcome: str  #: `started`, or what came of it
    report: str | None = None  #: what the provider's reports say, summed up
    provider_message_id: str | None = None
    error: ErrorView | None = None
    started_at: str
    finished_at: str | None = None
    reported_at: str | None = None


class ReportView(msgspec.Struct, kw_only=True):
    """One report of a provider about an attempt."""

    attempt: int | None
    provider: str
    provider_message_id: str | None = None
    status: str
    error: ErrorView | None = None
    part: int
    parts: int
    occurred_at: str | None = None  #: as the provider says
    received_at: str


class MessagePage(msgspec.Struct, kw_only=True):
    """Some messages, and where the next ones are."""

    data: list[Message]
    next_cursor: str | None


def story_view(story: Story) -> dict[str, Any]:
    """The message, with its attempts in place of their number, and its reports."""
    shown: dict[str, Any] = msgspec.to_builtins(message_view(story.message, story.aliases))
    return shown | {
        "attempts": [_attempt(attempt) for attempt in story.attempts],
        "reports": [_report(receipt) for receipt in story.receipts],
    }


def table(search: Search) -> Iterator[bytes]:
    """All that is found as CSV, a piece at a time; each piece is a short query of its own."""
    yield _written([COLUMNS])
    after: UUID | None = None
    while True:
        found = page(search, after=after, limit=_AT_ONCE)
        if found.messages:
            yield _written(_row(message) for message in found.messages)
        if found.last is None:
            return
        after = found.last


def _written(rows: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _row(m: Message) -> tuple[Any, ...]:
    provider = (m.provider.name, m.provider.message_id) if m.provider else (None, None)
    error = (m.error.code, m.error.detail, m.error.provider_code) if m.error else (None, None, None)
    segments = (m.segments.count, m.segments.encoding.value, m.segments.characters)
    metadata = msgspec.json.encode(m.metadata).decode()
    flags = (m.status.value, str(m.is_final).lower(), m.version, m.mode)
    what = (m.tracking_id, m.batch_id, *flags, m.to, m.sender, *segments, m.reference, metadata, m.traffic_type)
    return (*what, *provider, *error, m.attempts, m.send_at, m.expires_at, m.created_at, m.updated_at, m.sent_at, m.delivered_at)


def _attempt(attempt: Attempt) -> AttemptView:
    return AttemptView(
        number=attempt.number,
        provider=attempt.provider,
        outcome=attempt.outcome,
        report=attempt.report,
        provider_message_id=attempt.provider_message_id,
        error=_error(attempt.error_code, attempt.error_detail, attempt.error_provider_code),
        started_at=rfc3339(attempt.started_at) or "",
        finished_at=rfc3339(attempt.finished_at),
        reported_at=rfc3339(attempt.reported_at),
    )


def _report(receipt: Receipt) -> ReportView:
    return ReportView(
        attempt=receipt.attempt,
        provider=receipt.provider,
        provider_message_id=receipt.provider_message_id,
        status=receipt.status,
        error=_error(receipt.error_code, None, receipt.provider_code),
        part=receipt.part,
        parts=receipt.parts,
        occurred_at=rfc3339(receipt.occurred_at),
        received_at=rfc3339(receipt.received_at) or "",
    )


def _error(code: str | None, detail: str | None, provider_code: str | None) -> ErrorView | None:
    return None if code is None else ErrorView(code=code, detail=detail, provider_code=provider_code)
