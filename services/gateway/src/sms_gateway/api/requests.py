"""Reading requests, on the level of ASGI: headers once, bodies with a limit that counts what really comes."""

import re

from starlette.types import Receive, Scope

from sms_gateway.problems import Problem
from sms_gateway.protocol import EXTENSION, Cycle

_VISIBLE = re.compile(rb"[!-~]{1,255}")
_QUOTED = re.compile(rb'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_ESCAPE = re.compile(rb'\\(["\\])')
_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")


class DisconnectError(Exception):
    """The client went away before it had sent its request."""


def address(scope: Scope) -> str:
    """The peer's address; the client's where a trusted proxy says so (see `settings`)."""
    client = scope.get("client")
    return client[0] if client else ""


def cycle_of(scope: Scope) -> Cycle | None:
    """What our own protocol knows of a request; nobody has to stand on our own protocol."""
    extensions = scope.get("extensions")
    return extensions.get(EXTENSION) if extensions else None


def must_be_json(headers: dict[bytes, bytes]) -> None:
    """Raises `Problem` for any other media type, charset or coding."""
    if headers.get(b"content-type") == b"application/json" and b"content-encoding" not in headers:
        return
    media_type, _, parameters = headers.get(b"content-type", b"").lower().partition(b";")
    charset = parameters.strip().removeprefix(b"charset=").strip(b'"')
    if media_type.strip() != b"application/json" or (charset not in {b"", b"utf-8"} and b"charset" in parameters):
        raise Problem("request.unsupported_media_type")
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise Problem("request.unsupported_media_type", "Send the body without a Content-Encoding.")


def body_at_hand(scope: Scope, limit: int) -> bytes | None:
    """The body, where all of it has come already and nobody has to wait for it. Raises `Problem` where it is too large."""
    cycle = cycle_of(scope)
    body = None if cycle is None else cycle.whole_body()
    if body is not None and len(body) > limit:
        raise Problem("request.too_large", f"A body may have {limit} bytes.")
    return body


async def read_body(headers: dict[bytes, bytes], receive: Receive, limit: int) -> bytes:
    """The whole body. Raises `Problem` as soon as it is too large."""
    if int(headers.get(b"content-length", b"0")) > limit:
        raise Problem("request.too_large", f"A body may have {limit} bytes.")
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        if message["type"] == "http.disconnect":
            raise DisconnectError
        if len(body) > limit:
            raise Problem("request.too_large", f"A body may have {limit} bytes.")
        return body
    parts = [body]
    size = len(body)
    while message.get("more_body", False):
        if size > limit:
            raise Problem("request.too_large", f"A body may have {limit} bytes.")
        message = await receive()
        if message["type"] == "http.disconnect":
            raise DisconnectError
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    if size > limit:
        raise Problem("request.too_large", f"A body may have {limit} bytes.")
    return b"".join(parts)


def idempotency_key(headers: dict[bytes, bytes], raw: list[tuple[bytes, bytes]]) -> str | None:
    """The `Idempotency-Key`, bare or as a quoted string. Raises `Problem` where it is malformed, or there are two."""
    value = headers.get(b"idempotency-key")
    if value is None:
        return None
    if len(headers) != len(raw) and sum(name == b"idempotency-key" for name, _ in raw) > 1:
        raise Problem("idempotency.invalid_key", "There is more than one Idempotency-Key.")
    value = value.strip(b" \t")
    if value.startswith(b'"'):
        quoted = _QUOTED.fullmatch(value)
        value = _ESCAPE.sub(rb"\1", quoted.group(1)) if quoted else b""
    if not _VISIBLE.fullmatch(value):
        raise Problem("idempotency.invalid_key")
    return value.decode("ascii")


def traceparent(headers: dict[bytes, bytes]) -> str | None:
    """The W3C trace context, if it is one."""
    value = headers.get(b"traceparent")
    if value is None or len(value) > 256 or not _TRACEPARENT.fullmatch(value):
        return None
    return value.decode("ascii")
