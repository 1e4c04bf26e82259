"""
Reading a request: fast where it is right, and once more, slowly, where it is not, to list everything that is wrong with it.

One schema serves both; the slow way converts field by field.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, Meta

from sms_gateway.json_body import parse, refuse_repeated, refuse_repeated_slowly
from sms_gateway.problems import Mistake, Problem
from sms_gateway.schema import SendMessage
from sms_gateway.schema_batches import PreviewText

MAX_METADATA = 1024
MAX_AHEAD_MS = 30 * 24 * 3600 * 1000

_decode_message = msgspec.json.Decoder(SendMessage).decode
_decode_preview = msgspec.json.Decoder(PreviewText).decode
_encode = msgspec.json.Encoder().encode
_moment = Annotated[datetime, Meta(tz=True)]


def read_message(body: bytes) -> SendMessage:
    """The request in a body. Raises `Problem`."""
    try:
        request = _decode_message(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _refusal_of(SendMessage, body) from None
    # A NUL can only stand in JSON as this escape, so that nothing has to be searched where there is none.
    rich = request.metadata is not UNSET or request.callback_url is not UNSET or request.send_at is not UNSET
    if rich or b"\\u0000" in body:
        mistakes = further(msgspec.to_builtins(request))
        if mistakes:
            raise Problem("request.invalid", errors=mistakes)
    return request


def read_preview(body: bytes) -> PreviewText:
    """The text to be previewed. Raises `Problem`."""
    try:
        asked = _decode_preview(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _refusal_of(PreviewText, body) from None
    refuse_repeated(body, _encode(asked))
    if "\0" in asked.text:
        raise Problem("request.invalid", errors=[Mistake("/text", "nul", "NUL is not allowed.")])
    return asked


def _refusal_of(schema: type[msgspec.Struct], body: bytes) -> Problem:
    value = parse(body)
    refuse_repeated_slowly(body)
    return refusal(schema, value, more=further)


def refusal(schema: type[msgspec.Struct], value: Any, *, more: Callable[[dict[str, Any]], list[Mistake]], at: str = "") -> Problem:
    """The `Problem` that lists all that is wrong with a value."""
    mistakes = mistakes_of(schema, value, at=at)
    if isinstance(value, dict):
        known = {mistake.pointer for mistake in mistakes}
        mistakes += [mistake for mistake in more(value) if at + mistake.pointer not in known]
    return Problem("request.invalid", errors=mistakes)


def mistakes_of(schema: type[msgspec.Struct], value: Any, *, at: str = "") -> list[Mistake]:
    """Everything that a schema holds against a value."""
    if not isinstance(value, dict):
        return [Mistake(at, "type", "A JSON object is expected.")]
    fields = _fields(schema)
    mistakes = [
        Mistake(f"{at}/{name}", "required", "This field is required.")
        for name, (_, required) in fields.items()
        if required and name not in value
    ]
    for name, item in value.items():
        pointer = f"{at}/{name.replace('~', '~0').replace('/', '~1')}"
        if name not in fields:
            mistakes.append(Mistake(pointer, "unknown", "There is no such field."))
            continue
        try:
            msgspec.convert(item, fields[name][0])
        except msgspec.ValidationError as error:
            reason, _, path = str(error).partition(" - at `$")
            where = path.rstrip("`").replace("[", "/").replace("]", "").replace(".", "/") if path and path[:4] != "[..." else ""
            mistakes.append(Mistake(pointer + where, _code(item, reason), f"{reason}."))
    return mistakes


def moment_ms(text: str) -> int | None:
    """RFC 3339 in milliseconds since 1970; None: it cannot be read."""
    try:
        return int(msgspec.convert(text, _moment).timestamp() * 1000)
    except (msgspec.ValidationError, OverflowError):
        return None


def further(value: dict[str, Any]) -> list[Mistake]:
    """What no schema can say."""
    mistakes = [Mistake(f"/{name}", "nul", "NUL is not allowed.") for name, item in value.items() if name != "metadata" and _has_nul(item)]
    metadata = value.get("metadata")
    if isinstance(metadata, dict):
        if _has_nul([*metadata, *metadata.values()]):
            mistakes.append(Mistake("/metadata", "nul", "NUL is not allowed."))
        if sum(len(str(part).encode()) for pair in metadata.items() for part in pair) > MAX_METADATA:
            mistakes.append(Mistake("/metadata", "too_long", "Keys and values are more than 1 KiB in all."))
    url = value.get("callback_url")
    if isinstance(url, str) and not _is_url(url):
        mistakes.append(Mistake("/callback_url", "url", "This is not an absolute http or https URL."))
    send_at = value.get("send_at")
    if isinstance(send_at, str) and moment_ms(send_at) is None:
        mistakes.append(Mistake("/send_at", "time", "This is not an RFC 3339 time with an offset."))
    return mistakes


def _has_nul(item: Any) -> bool:
    if isinstance(item, str):
        return "\0" in item
    return isinstance(item, list) and any(_has_nul(part) for part in item)


def _is_url(text: str) -> bool:
    if not text.isprintable() or " " in text or "\\" in text:
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc


def _code(item: Any, reason: str) -> str:
    if reason.startswith("Invalid enum value"):
        return "choice"
    if "length" not in reason:
        return "range" if reason.startswith("Expected `int` ") else "type"
    return "empty" if item in ("", [], {}) else "length"


@cache
def _fields(schema: type[msgspec.Struct]) -> dict[str, tuple[Any, bool]]:
    return {field.encode_name: (field.type, field.required) for field in msgspec.structs.fields(schema)}


__all__ = ["MAX_AHEAD_MS", "UNSET", "further", "mistakes_of", "moment_ms", "read_message", "read_preview", "refusal"]
