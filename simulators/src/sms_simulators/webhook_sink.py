"""A receiver of webhooks, on a real socket: answers as it is told, and keeps what it got."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Got:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass
class Sink:
    """`answer(got)` is what it answers: a status and headers."""

    port: int
    answer: Callable[[Got], tuple[int, dict[str, str]]] = lambda _: (204, {})
    got: list[Got] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def always(self, status: int, **headers: str) -> None:
        self.answer = lambda _: (status, {name.replace("_", "-"): value for name, value in headers.items()})

    def types(self) -> list[str]:
        return [one.document["type"] for one in self.got]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up in the middle of an answer may."""


@contextmanager
def listening() -> Iterator[Sink]:
    """A sink that listens on a port of its own on 127.0.0.1 until the block ends."""
    sink = Sink(port=0)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got = Got(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            sink.got.append(got)
            status, headers = sink.answer(got)
            self.send_response(status)
            for name, value in ({"Content-Length": "0"} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"x" * int(headers.get("Content-Length", 0)))

        def do_GET(self) -> None:
            sink.got.append(Got(self.path, {}, b"{}"))  # somebody has followed a redirect
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's
            """A receiver that says nothing."""

    server = _Server(("127.0.0.1", 0), Handler)
    sink.port = server.server_address[1]
    # It looks that often whether it is to end, which is how long an end takes.
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
