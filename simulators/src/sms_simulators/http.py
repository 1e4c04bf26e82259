"""
HTTP for the simulated vendors: a request that has been read, an answer, and a server for a function from one to the other.

httptools reads requests, as it does for Uvicorn; what an ASGI server does beside that is left out, because this process shares its machine
with what is being measured.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from typing import Final, cast
from urllib.parse import parse_qsl, unquote

import httptools
import msgspec
from multidict import MultiDict

#: Longer than those who call keep a connection.
_KEEP_ALIVE: Final = 75.0
_encode = msgspec.json.Encoder().encode
log = logging.getLogger(__name__)


class Request:
    """Its body is here already. `query` and `path` are decoded, `query_string` is as it came."""

    __slots__ = ("_headers", "body", "keep_alive", "method", "path", "query_string", "transport")

    def __init__(
        self, *, method: str, url: bytes, headers: list[tuple[bytes, bytes]], body: bytes, transport: asyncio.Transport, keep_alive: bool
    ) -> None:
        path, _, query = url.partition(b"?")
        self.method = method
        self.path = unquote(path.decode("latin-1"))
        self.query_string = query.decode("latin-1")
        self.body = body
        #: For those who break a connection off.
        self.transport = transport
        self.keep_alive = keep_alive
        self._headers = headers

    @property
    def query(self) -> MultiDict[str]:
        """The parameters in the URL."""
        return MultiDict(parse_qsl(self.query_string, keep_blank_values=True))

    def header(self, name: str) -> str:
        """By its name in lower case; empty where it is missing."""
        wanted = name.encode("latin-1")
        return next((value.decode("latin-1") for given, value in self._headers if given == wanted), "")


@dataclass(kw_only=True, slots=True)
class Response:
    """An answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/octet-stream"
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Awaitable[Response]]


def json_answer(status: int, content: object, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(status=status, body=_encode(content), content_type="application/json", headers=dict(headers or {}))


def text_answer(status: int, text: str, headers: Mapping[str, str] | None = None, *, content_type: str = "text/plain") -> Response:
    """Words, in UTF-8."""
    return Response(status=status, body=text.encode(), content_type=f"{content_type}; charset=utf-8", headers=dict(headers or {}))


@asynccontextmanager
async def serving(handle: Handler, host: str, port: int, *, patience: float = 1.0) -> AsyncIterator[tuple[str, int]]:
    """Serve while it is entered; hands out host and port. What is under way at the end has `patience` seconds."""
    connections: set[_Connection] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(handle, loop, connections), host, port, backlog=1024)
    try:
        bound = server.sockets[0].getsockname()
        yield bound[0], bound[1]
    finally:
        server.close()
        tasks = [task for connection in list(connections) if (task := connection.finish()) is not None]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=patience)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for connection in list(connections):
            connection.close()


class _Connection(asyncio.Protocol):
    """Answers requests one after the other, in the order in which they came."""

    def __init__(self, handle: Handler, loop: asyncio.AbstractEventLoop, connections: set["_Connection"]) -> None:
        self._handle = handle
        self._loop = loop
        self._connections = connections
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Request] = deque()
        self._task: asyncio.Task[None] | None = None
        self._ending = False
        self._used_at = loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is one in all but name.
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)
        self._watch = self._loop.call_later(_KEEP_ALIVE, self._close_if_idle)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        self._connections.discard(self)
        self._waiting.clear()
        self._watch.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # to nothing that is spoken here: it is answered as it stands
        except httptools.HttpParserError:
            self._transport.write(_written(Response(status=400, body=b"not HTTP", content_type="text/plain"), keep_alive=False))
            self._transport.close()
            return
        if self._waiting and self._task is None:
            # Begun at once: most answers wait for nothing, and are written before this returns.
            task = asyncio.Task(self._answer_all(), loop=self._loop, eager_start=True)
            self._task = None if task.done() else task

    def on_message_begin(self) -> None:
        self._url = b""
        self._body = b""
        self._headers: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if (b"expect", b"100-continue") in self._headers:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        request = Request(
            method=self._parser.get_method().decode("ascii"),
            url=self._url,
            headers=self._headers,
            body=self._body,
            transport=self._transport,
            keep_alive=self._parser.should_keep_alive(),
        )
        self._waiting.append(request)

    def finish(self) -> "asyncio.Task[None] | None":
        """Take no further requests; hands out what is under way."""
        self._ending = True
        if self._task is None:
            self.close()
        return self._task

    def close(self) -> None:
        """At once."""
        self._transport.close()

    async def _answer_all(self) -> None:
        try:
            while self._waiting and not self._transport.is_closing():
                await self._answer(self._waiting.popleft())
        finally:
            # Here, not when the loop tells of the task's end: what is read until then would wait for nobody.
            self._task = None

    async def _answer(self, request: Request) -> None:
        try:
            answer = await self._handle(request)
        except Exception:
            log.exception("a request could not be answered")
            answer = Response(status=500)
        if self._transport.is_closing():
            return
        keep_alive = request.keep_alive and not self._ending
        self._transport.write(_written(answer, keep_alive=keep_alive, with_body=request.method != "HEAD"))
        self._used_at = self._loop.time()
        if not keep_alive:
            self._transport.close()

    def _close_if_idle(self) -> None:
        left = _KEEP_ALIVE if self._task is not None else self._used_at + _KEEP_ALIVE - self._loop.time()
        if left <= 0:
            self._transport.close()
        else:
            self._watch = self._loop.call_later(left, self._close_if_idle)


def _written(answer: Response, *, keep_alive: bool, with_body: bool = True) -> bytes:
    """Head and body in one: they go in one system call, and are read in one."""
    head = _status_line(answer.status) + b"content-length: %d\r\n" % len(answer.body)
    if answer.body:
        head += b"content-type: " + answer.content_type.encode("latin-1") + b"\r\n"
    for name, value in answer.headers.items():
        head += f"{name}: {value}\r\n".encode("latin-1")
    if not keep_alive:
        head += b"connection: close\r\n"
    return head + b"\r\n" + answer.body if with_body else head + b"\r\n"


@lru_cache
def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode("latin-1")
