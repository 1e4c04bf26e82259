"""Answers, and the ways not to answer, that all vendors share."""

import asyncio
import socket
import struct
import time
from typing import Final

import msgspec
from aiohttp import web

#: A request that is never answered is let go after this, in seconds, if its client does not hang up before.
_SILENCE: Final = 120.0
_encode = msgspec.json.Encoder().encode


def json_answer(status: int, content: object) -> web.Response:
    """A JSON answer."""
    return web.Response(status=status, body=_encode(content), content_type="application/json")


def broken_off(answer: web.Response) -> web.Response:
    """The same, ending in the middle."""
    body = answer.body if isinstance(answer.body, bytes) else b""
    return web.Response(status=answer.status, body=body[: len(body) // 2], content_type=answer.content_type)


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
