"""
Uvicorn's HTTP protocol, where an answer is one write.

Uvicorn writes the head of an answer and its body apart, and looks for bad characters in each header by itself; at some thousand small
answers a second, that is a sixth of the processor time. Here the head waits for the body, and both leave together. Whatever is not such an
answer (streams, `HEAD`, unknown header fields, a body that is not as long as it says) goes Uvicorn's way, and so do all its rules.
"""

import asyncio
import re
from typing import Any, Final

import httptools
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


class Cycle(RequestResponseCycle):
    """One request and its answer."""

    #: The start of the answer, while it waits for its body.
    _start: Any = None

    async def receive(self) -> Any:
        ended = self.disconnected or self.response_complete
        if self.more_body or ended or self.waiting_for_100_continue or not self.message_event.is_set():
            return await super().receive()
        # All of the body is here, and has not been handed out yet: nothing to wait for.
        self.flow.resume_reading()
        self.message_event.clear()
        body, self.body = bytes(self.body), bytearray()
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
        self.cycle = Cycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            # Pipelined: its turn comes when the one before has been answered.
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

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
