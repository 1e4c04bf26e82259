"""Batches, previews and cancels: what may be asked for, and what is answered."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from sms_contract.message import Message
from sms_contract.segments import Encoding, Segments
from sms_contract.status import Status
from sms_gateway.schema import NO_NUL

#: Bytes of one batch's request, and messages in it.
MAX_BATCH = 1024 * 1024
MAX_ITEMS = 1_000


class PreviewText(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A text to be looked at."""

    text: Annotated[
        str,
        Meta(min_length=1, max_length=1600, description="The text; no NUL.", examples=["It’s 5 °C – brr…"], extra_json_schema=NO_NUL),
    ]
    encoding: (
        Annotated[Literal["auto", "gsm7", "ucs2", "transliterate"], Meta(description="As for a message. Default: `auto`.")] | UnsetType
    ) = UNSET


class PreviewSegments(msgspec.Struct, frozen=True, kw_only=True):
    """How a text would be cut."""

    count: int
    encoding: Encoding
    characters: int  #: septets or UTF-16 units
    per_segment: int  #: that each of these segments can hold


class Preview(msgspec.Struct, kw_only=True):
    """What would become of a text."""

    segments: PreviewSegments
    non_gsm_characters: list[str]  #: each once, in order of appearance
    transliterated: str | None  #: what `encoding: transliterate` would send; null: the same text


class SendBatch(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Up to a thousand messages; each is judged alone."""

    messages: Annotated[list[Any], Meta(min_length=1, max_length=MAX_ITEMS, description="What each message has of its own.")]
    defaults: Annotated[dict[str, Any], Meta(description="Fields of every message that does not say otherwise.")] | UnsetType = UNSET


class ItemError(msgspec.Struct, frozen=True, kw_only=True):
    """Why one message of a batch was refused."""

    code: str
    detail: str
    pointer: str  #: JSON pointer into the request


class RefusedItem(msgspec.Struct, frozen=True, kw_only=True):
    """A message of a batch that was refused."""

    index: int
    error: ItemError


class AcceptedItem(msgspec.Struct, frozen=True, kw_only=True):
    """A message of a batch that was accepted."""

    index: int
    tracking_id: str
    status: Status
    segments: Segments


class BatchAccepted(msgspec.Struct, kw_only=True):
    """The answer to a batch; `batch_id` comes first, by which its record is known (see `sms_contract.keyspace.reservation`)."""

    batch_id: str
    accepted: int
    rejected: int
    messages: list[Any]  #: `AcceptedItem` or `RefusedItem`, by index


class BatchCancel(msgspec.Struct, kw_only=True):
    """The answer to the cancel of a batch."""

    batch_id: str
    cancel_requested: bool = True


class CancelRequested(Message, kw_only=True):
    """*The message*, whose cancel is queued."""

    cancel_requested: bool = True


def cancel_requested(message: Message) -> CancelRequested:
    """The answer to the cancel of a message."""
    return CancelRequested(**{name: getattr(message, name) for name in message.__struct_fields__})
