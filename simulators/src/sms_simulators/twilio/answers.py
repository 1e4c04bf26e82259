"""The shapes of Twilio's answers, and the ways not to answer."""

import asyncio
import socket
import struct
import time
from typing import Final

import msgspec
from aiohttp import web

#: A request that is never answered is let go after this, in seconds, if its client does not hang up before.
_SILENCE: Final = 120.0
#: The code that goes with an HTTP status.
CODES: Final[dict[int, int]] = {400: 21211, 401: 20003, 403: 20403, 404: 20404, 405: 20004, 429: 20429, 500: 20500, 503: 20503}
_WORDS: dict[int, str] = {
    20003: "Authenticate",
    20004: "Method not allowed",
    20403: "Forbidden",
    20404: "The requested resource was not found",
    20429: "Too Many Requests",
    20500: "Internal Server Error",
    20503: "Service Unavailable",
    21211: "Invalid 'To' Phone Number",
    21602: "Message body is required",
    21603: "A 'From' phone number is required",
    21604: "A 'To' phone number is required",
    21609: "The 'StatusCallback' URL is not a valid URL",
    21610: "Attempt to send to unsubscribed recipient",
    21617: "The concatenated message body exceeds the 1600 character limit",
    21624: "ValidityPeriod is out of range",
    30409: "The message can no longer be canceled",
}
_encode = msgspec.json.Encoder().encode


def failure(status: int, code: int | None = None, message: str | None = None, retry_after: int | None = None) -> web.Response:
    """Twilio's error shape."""
    code = code or CODES.get(status, 20000 + status)
    words = message or _WORDS.get(code, f"Error {code}")
    more = f"https://www.twilio.com/docs/errors/{code}"
    response = answer(status, {"code": code, "message": words, "more_info": more, "status": status})
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
    return response


def answer(status: int, content: dict[str, object]) -> web.Response:
    """A JSON answer."""
    return web.Response(status=status, body=_encode(content), content_type="application/json")


def broken_off(content: dict[str, object]) -> web.Response:
    """A 201 whose JSON ends in the middle."""
    return web.Response(status=201, body=_encode(content)[:40], content_type="application/json")


async def say_nothing(request: web.BaseRequest) -> web.StreamResponse:
    """Keep the connection until the client hangs up, of which nothing but the transport's state tells."""
    end = time.monotonic() + _SILENCE
    while request.transport is not None and not request.transport.is_closing() and time.monotonic() < end:  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    return reset(request)


def reset(request: web.BaseRequest) -> web.StreamResponse:
    """Close with RST instead of FIN (`SO_LINGER` of 0)."""
    transport = request.transport
    if transport is not None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response(status=500)
