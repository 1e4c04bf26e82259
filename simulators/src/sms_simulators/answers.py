"""Answers, and the ways not to answer, that all vendors share."""

import asyncio
import socket
import struct
import time
from contextlib import suppress
from typing import Final

from sms_simulators.http import Request, Response

#: A request that is never answered is let go after this, in seconds, if its client does not hang up before.
_SILENCE: Final = 120.0


def broken_off(answer: Response) -> Response:
    """The same, ending in the middle."""
    return Response(status=answer.status, body=answer.body[: len(answer.body) // 2], content_type=answer.content_type)


async def say_nothing(request: Request) -> Response:
    """Keep the connection until the client hangs up, of which nothing but the transport's state tells."""
    end = time.monotonic() + _SILENCE
    while not request.transport.is_closing() and time.monotonic() < end:  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    return reset(request)


def reset(request: Request) -> Response:
    """Close with RST instead of FIN (`SO_LINGER` of 0)."""
    with suppress(OSError):  # whoever asked has gone already
        request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()
    return Response(status=500)
