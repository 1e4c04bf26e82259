"""
Envelope v1: what Server A publishes and Server B stores.

An AMQP message is one JSON object whose entries are decoded one by one, so that a bad one is parked alone. New fields are optional;
a breaking change is a new type, and Server B reads both. Golden samples: `samples/v1`, never edited.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

SUBMISSION_V1: Final = "submission.v1"
CANCEL_V1: Final = "cancel.v1"
CALLBACK_V1: Final = "callback.v1"
CONTENT_TYPE: Final = "application/json"
#: An envelope on the wire, and with a batch's `defaults` written out into every item, in bytes.
MAX_ENVELOPE: Final = 2 * 1024 * 1024
MAX_EXPANDED: Final = 8 * 1024 * 1024


class Submission(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One accepted message (MT). Times are milliseconds since 1970; durations are seconds."""

    tracking_id: str
    client: str
    mode: str  #: `live` or `test`
    to: str  #: E.164
    text: str  #: what was asked for, before transliteration
    fingerprint: str  #: hex SHA-256 of the request
    reserved_at: int  #: when admission reserved it: ms, by the clock of Redis
    segments: int
    encoding: str  #: of the wire: `gsm7` or `ucs2`
    characters: int  #: septets or UTF-16 units
    expires_at: int  #: ms; never sent after it
    sender: str | None = None
    wire_text: str | None = None  #: the text to be sent, where it differs from `text`
    providers: list[str] = []  #: exclusive and in order; none: smart selection
    reference: str | None = None
    callback_url: str | None = None
    send_at: int | None = None
    traffic_type: str = "transactional"
    on_unknown: str = "resend"
    failover_on: list[str] = []  #: `undelivered`: such a report starts the next provider
    metadata: dict[str, str] = {}
    max_segments: int = 10
    idempotency: str | None = None  #: digest of the key, see `keyspace.idempotency_digest`
    batch_id: str | None = None
    index: int = 0  #: in its batch
    charged_day: str | None = None  #: `YYYYMMDD`; None: nothing was charged
    key_id: str | None = None
    traceparent: str | None = None


class Envelope(msgspec.Struct, kw_only=True):
    """The object on the wire; entries stay raw until each is decoded alone."""

    type: str
    entries: list[msgspec.Raw]
    defaults: dict[str, Any] | None = None  #: fields that all entries of a batch share


class Cancel(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A request to take a message back, or all of a batch."""

    client: str
    requested_at: int  #: ms
    tracking_id: str | None = None
    batch_id: str | None = None


class Callback(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A provider's request to us, raw, as it came: judged by Server B alone."""

    id: str  #: UUIDv7 that the gateway gave it
    provider: str
    method: str
    path: str  #: without the token: what the provider called is rebuilt by Server B
    query: str
    headers: list[tuple[str, str]]
    body: bytes  #: base64 in JSON
    received_at: int  #: ms


_encoder = msgspec.json.Encoder()
_envelope_decoder = msgspec.json.Decoder(Envelope)
_submission_decoder = msgspec.json.Decoder(Submission)
_generic_decoder = msgspec.json.Decoder(dict[str, Any])
_cancel_decoder = msgspec.json.Decoder(Cancel)
_callback_decoder = msgspec.json.Decoder(Callback)


def encode_entry(entry: Submission | Cancel | Callback) -> bytes:
    """One entry as it stands in an envelope."""
    return _encoder.encode(entry)


def encode_envelope(kind: str, entries: list[bytes], defaults: bytes | None = None) -> bytes:
    """Join entries that are encoded already."""
    head = b'{"type":"' + kind.encode() + b'",'
    if defaults is not None:
        head += b'"defaults":' + defaults + b","
    return head + b'"entries":[' + b",".join(entries) + b"]}"


def decode_envelope(body: bytes) -> Envelope:
    """Raises `msgspec.DecodeError` (its subclass `ValidationError` too), and nothing else, if the object as a whole cannot be read."""
    return _read(_envelope_decoder.decode, body)


def decode_submission(entry: msgspec.Raw | bytes, defaults: dict[str, Any] | None = None) -> Submission:
    """One submission, with a batch's defaults under it. Raises `msgspec.DecodeError` or `ValidationError`."""
    if defaults is None:
        return _read(_submission_decoder.decode, entry)
    return msgspec.convert(defaults | _read(_generic_decoder.decode, entry), Submission)


def decode_cancel(entry: msgspec.Raw | bytes) -> Cancel:
    """One cancel. Raises `msgspec.DecodeError` or `ValidationError`."""
    return _read(_cancel_decoder.decode, entry)


def decode_callback(entry: msgspec.Raw | bytes) -> Callback:
    """One callback. Raises `msgspec.DecodeError` or `ValidationError`."""
    return _read(_callback_decoder.decode, entry)


def _read[T](decode: Callable[[msgspec.Raw | bytes], T], raw: msgspec.Raw | bytes) -> T:
    """What msgspec lets through of its own is an error of decoding as well: one bad message must not stop whoever reads the queue."""
    try:
        return decode(raw)
    except UnicodeDecodeError as error:
        # Without the error itself, which holds the whole input.
        raise msgspec.DecodeError(f"not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise msgspec.DecodeError("nested too deeply") from None
