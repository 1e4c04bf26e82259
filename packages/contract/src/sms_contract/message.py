"""*The message*, as every answer, webhook and read model shows it (API, section 3); nulls included."""

from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from sms_contract.envelope import Submission
from sms_contract.ids import created_ms
from sms_contract.segments import Encoding, Segments
from sms_contract.status import Status


class ProviderView(msgspec.Struct, frozen=True, kw_only=True):
    """Who took the message, and its id there."""

    name: str
    message_id: str | None = None


class ErrorView(msgspec.Struct, frozen=True, kw_only=True):
    """Why a message ended as it did: a code of the catalogue, and the provider's own."""

    code: str
    detail: str | None = None
    provider_code: str | None = None


class Message(msgspec.Struct, kw_only=True):
    """*The message*. Times are RFC 3339 in UTC, written by `timestamp`."""

    tracking_id: str
    aliases: list[str] = []
    batch_id: str | None = None
    status: Status
    is_final: bool
    version: int
    mode: str
    to: str
    sender: str | None = msgspec.field(name="from")
    segments: Segments
    reference: str | None = None
    metadata: dict[str, str] = {}
    traffic_type: str
    provider: ProviderView | None = None
    error: ErrorView | None = None
    attempts: int = 0
    send_at: str | None = None
    expires_at: str | None = None
    created_at: str
    updated_at: str
    sent_at: str | None = None
    delivered_at: str | None = None


class Accepted(msgspec.Struct, kw_only=True, frozen=True):
    """The body of the 202."""

    tracking_id: str
    status: Status
    is_final: bool
    version: int
    mode: str
    to: str
    sender: str | None = msgspec.field(name="from")
    segments: Segments
    reference: str | None
    metadata: dict[str, str]
    created_at: str


@lru_cache(maxsize=2048)  # thousands of messages share a second, and writing it out is what costs
def timestamp(ms: int) -> str:
    """RFC 3339 in UTC with milliseconds and `Z`."""
    seconds, rest = divmod(ms, 1000)
    return f"{_second(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=256)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def accepted(submission: Submission, segments: Segments | None = None) -> Message:
    """What a message looks like between the 202 and its first change; `segments` are the submission's, for who has them at hand."""
    created = timestamp(created_ms(submission.tracking_id))
    return Message(
        tracking_id=submission.tracking_id,
        batch_id=submission.batch_id,
        status=Status.ACCEPTED,
        is_final=False,
        version=0,
        mode=submission.mode,
        to=submission.to,
        sender=submission.sender,
        segments=segments or Segments(submission.segments, Encoding(submission.encoding), submission.characters),
        reference=submission.reference,
        metadata=submission.metadata,
        traffic_type=submission.traffic_type,
        send_at=None if submission.send_at is None else timestamp(submission.send_at),
        expires_at=timestamp(submission.expires_at),
        created_at=created,
        updated_at=created,
    )
