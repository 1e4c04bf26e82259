"""
HTTP for the simulated vendors: a request that has been read, an answer, and a server for a function from one to the other.

It stands on Uvicorn's protocol, without its server and without a framework, because this process shares its machine with what is being
measured.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast
from urllib.parse import parse_qsl

import msgspec
from multidict import MultiDict
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

#: Longer than those who call keep a connection.
_KEEP_ALIVE: Final = 75
_TRANSPORT: Final = "transport"
_encode = msgspec.json.Encoder().encode


class Request:
    """Its body is here already. `query` and `path` are decoded, `query_string` is as it came."""

    __slots__ = ("_headers", "body", "method", "path", "query_string", "transport")

    def __init__(self, scope: Mapping[str, Any], body: bytes) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query_string: str = scope["query_string"].decode("latin-1")
        self.body = body
        #: For those who break a connection off.
        self.transport: asyncio.Transport = scope["extensions"][_TRANSPORT]
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]

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

    async def application(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            event = await receive()
            if event["type"] != "http.request":
                return  # the client has gone before it had said all
            body += event["body"]
            if not event["more_body"]:
                break
        answer = await handle(Request(scope, body))
        await send({"type": "http.response.start", "status": answer.status, "headers": _head(answer)})
        await send({"type": "http.response.body", "body": answer.body})

    config = Config(
        application, ws="none", lifespan="off", log_config=None, access_log=False, proxy_headers=False, timeout_keep_alive=_KEEP_ALIVE
    )
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Protocol(config=config, server_state=state, app_state={}), host, port, backlog=1024)
    try:
        bound = server.sockets[0].getsockname()
        yield bound[0], bound[1]
    finally:
        server.close()
        for connection in list(state.connections):
            connection.shutdown()
        if state.tasks:
            _, late = await asyncio.wait(set(state.tasks), timeout=patience)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for connection in list(state.connections):
            connection.transport.close()


class _Protocol(HttpToolsProtocol):
    """Lets a handler at its connection, and sends head and body of an answer together."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)["extensions"] = {_TRANSPORT: self.transport}

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        if cycle.scope["method"] != "HEAD" and not cycle.waiting_for_100_continue:
            cycle.transport = _Together(cycle.transport)
        super()._start_asgi_task(cycle, app)


class _Together:
    """A transport to Uvicorn, which writes the head of an answer and then its body, always once: two system calls, and two to read them."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head: bytes | None = None
        self.close = transport.close
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """The first is the head."""
        if self._head is None:
            self._head = data
        else:
            self._transport.write(self._head + data)


def _head(answer: Response) -> list[tuple[bytes, bytes]]:
    head = [(b"content-length", b"%d" % len(answer.body))]
    if answer.body:
        head.append((b"content-type", answer.content_type.encode("latin-1")))
    head += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    return head
