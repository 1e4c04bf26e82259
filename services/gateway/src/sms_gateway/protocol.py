"""
Uvicorn's HTTP protocol, where an answer is one write.

Uvicorn writes the head of an answer and its body apart, and looks for bad characters in each header by itself; at some thousand small
answers a second, that is a sixth of the processor time. Here the head waits for the body, and both leave together. Whatever is not such an
answer (streams, `HEAD`, unknown header fields, a body that is not as long as it says) goes Uvicorn's way, and so do all its rules.

An application that knows `EXTENSION` (of ASGI's `scope["extensions"]`) gets at a whole body, and gives a whole answer, by one call each.
"""

import asyncio
import re
from collections.abc import Iterable
from typing import Any, Final

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from sms_gateway.patience import PatientProtocol

#: Header fields that need neither a look at their name nor a rule of their own.
_PLAIN: Final = frozenset(
    {
        b"allow",
        b"content-type",
        b"idempotent-replayed",
        b"location",
        b"ratelimit",
        b"ratelimit-policy",
        b"retry-after",
        b"www-authenticate",
        b"x-request-id",
    }
)
_CONTROL: Final = re.compile(b"[\x00-\x08\x0a-\x1f\x7f]")
_SIMPLE_TARGET: Final = re.compile(rb"(?:/[A-Za-z0-9_-]+)+")
#: What the `Cycle` of a request is called in its scope's extensions.
EXTENSION: Final = "sms_gateway.cycle"


class Signal:
    """What a cycle needs of `asyncio.Event`, without a queue of waiters before there is one to wait."""

    __slots__ = ("_event", "_on")

    def __init__(self) -> None:
        self._on = False
        self._event: asyncio.Event | None = None

    def is_set(self) -> bool:
        return self._on

    def set(self) -> None:
        self._on = True
        if self._event is not None:
            self._event.set()

    def clear(self) -> None:
        self._on = False
        if self._event is not None:
            self._event.clear()

    async def wait(self) -> None:
        if not self._on:
            if self._event is None:
                self._event = asyncio.Event()
            await self._event.wait()


class Cycle(RequestResponseCycle):
    """One request and its answer."""

    #: The start of the answer, while it waits for its body.
    _start: Any = None

    def __init__(self, protocol: "Protocol", *, keep_alive: bool) -> None:
        """Sets all that Uvicorn's own does (a test compares them), of a connection that has the most of it already."""
        self.scope = protocol.scope
        self.transport = protocol.transport
        self.flow = protocol.flow
        self.logger = protocol.logger
        self.access_logger = protocol.access_logger
        self.access_log = protocol.access_log
        self.default_headers = protocol.server_state.default_headers
        self.message_event: Any = Signal()
        self.on_response = protocol.on_response_complete
        self.disconnected = False
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = protocol.expect_100_continue
        #: Bytes while it is in one piece, as most are.
        self.body: Any = b""
        self.more_body = True
        self.response_started = False
        self.response_complete = False
        self.chunked_encoding = None
        self.expected_content_length = 0

    def whole_body(self) -> bytes | None:
        """The body, if all of it is here and it has not been handed out yet: then there is nothing to wait for."""
        ended = self.disconnected or self.response_complete
        if self.more_body or ended or self.waiting_for_100_continue or not self.message_event.is_set():
            return None
        self.flow.resume_reading()
        self.message_event.clear()
        body, self.body = bytes(self.body), b""
        return body

    def answer(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bool:
        """
        Write a whole answer whose headers are known to be right, but for its `Content-Length`, which is added.

        False: it has to go the usual way, because the client does not read, is gone, or has been answered.
        """
        if self.flow.write_paused or self.disconnected or self.response_started or self.access_log or not self.keep_alive:
            return False
        lines = [STATUS_LINE[status]]
        for name, value in self.default_headers:
            lines += (name, b": ", value, b"\r\n")
        for name, value in headers:
            lines += (name, b": ", value, b"\r\n")
        lines += (b"content-length: %d\r\n\r\n" % len(body), body)
        self.response_started = True
        self.waiting_for_100_continue = False
        self.transport.write(b"".join(lines))
        self._answered()
        return True

    async def receive(self) -> Any:
        body = self.whole_body()
        if body is None:
            return await super().receive()
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Any) -> None:
        start = self._start
        if start is None:
            if message["type"] == "http.response.start" and not self.response_started:
                self._start = message
                self.response_started = True
                self.waiting_for_100_continue = False
            else:
                await super().send(message)
            return
        self._start = None
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        answer = self._whole(start, message)
        if answer is None:
            self.response_started = False
            await super().send(start)
            await super().send(message)
            return
        self.transport.write(answer)
        self._answered()

    def _answered(self) -> None:
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()

    def _whole(self, start: Any, message: Any) -> bytes | None:
        """Head and body, if they are of the plain sort."""
        if message["type"] != "http.response.body" or message.get("more_body", False) or self.access_log or self.scope["method"] == "HEAD":
            return None
        body: bytes = message.get("body", b"")
        lines = [STATUS_LINE[start["status"]]]
        values = []
        length = -1
        for name, value in (*self.default_headers, *start["headers"]):
            if name == b"content-length":
                length = int(value)
            elif name in _PLAIN or name == b"date":
                values.append(value)
            else:
                return None
            lines += (name, b": ", value, b"\r\n")
        if length != len(body) or _CONTROL.search(b"".join(values)):
            return None
        lines += (b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n", body)
        return b"".join(lines)


class Protocol(PatientProtocol):
    """One connection."""

    def on_headers_complete(self) -> None:
        if self.limit_concurrency is not None or self.parser.should_upgrade() or not _SIMPLE_TARGET.fullmatch(self.url) or self.root_path:
            super().on_headers_complete()
            return
        version = self.parser.get_http_version()
        scope = self.scope
        scope["method"] = self.parser.get_method().decode("ascii")
        scope["http_version"] = version
        scope["path"] = self.url.decode("ascii")
        scope["raw_path"] = self.url
        scope["query_string"] = b""
        before = self.cycle
        cycle = self.cycle = Cycle(self, keep_alive=version != "1.0" and self.parser.should_keep_alive())
        scope["extensions"] = {EXTENSION: cycle}  # type: ignore[dict-item]  # of dictionaries, for Uvicorn
        if before is None or before.response_complete:
            self._start_asgi_task(cycle, self.app)
        else:
            # Pipelined: its turn comes when the one before has been answered.
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def on_body(self, body: bytes) -> None:
        cycle = self.cycle
        if type(cycle) is not Cycle or cycle.response_complete:
            super().on_body(body)
        elif cycle.body or len(body) > HIGH_WATER_LIMIT:
            cycle.body = bytearray(cycle.body) if type(cycle.body) is bytes else cycle.body
            super().on_body(body)
        else:
            cycle.body = body
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        cycle = self.cycle
        if type(cycle) is not Cycle:
            super().on_message_complete()
        elif not cycle.response_complete:
            cycle.more_body = False
            cycle.message_event.set()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        # One timer a connection, that looks at this when it fires, rather than one a request.
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        self._idle_since = None
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.logger.warning("Invalid HTTP request received.")
            self.send_400_response("Invalid HTTP request received.")
            return
        except httptools.HttpParserUpgrade:
            self._unsupported_upgrade_warning()
        cycle = self.cycle
        if cycle is None or cycle.more_body or cycle.scope is not self.scope:
            self.more_came(len(data))

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return
        rest = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if rest > 0.001:
            self.timeout_keep_alive_task = self.loop.call_later(rest, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()
