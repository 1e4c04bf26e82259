"""Where simulated vendors post their reports: kept until a test has them judged, in the order that it wants."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from sms_backend.messages.models import RawCallback
from sms_backend.pipeline.receive import receive_all
from sms_contract.ids import uuid7


class Post:
    """One request, as it came."""

    def __init__(self, method: str, target: str, headers: list[tuple[str, str]], body: bytes) -> None:
        self.method, self.target, self.headers, self.body = method, target, headers, body

    def judge(self) -> None:
        """What the gateway, intake and a worker do with it."""
        parts = urlsplit(self.target)
        RawCallback.objects.create(
            id=uuid7(time.time_ns() // 1_000_000),
            provider=parts.path.split("/")[3],
            method=self.method,
            path=parts.path,
            query=parts.query,
            headers=[list(pair) for pair in self.headers],
            body=self.body,
            received_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        )
        receive_all(until=time.monotonic() + 10)


class Postbox:
    """A server that says 200 to everything."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.posts: list[Post] = []

    def wait(self, count: int, *, seconds: float = 10) -> Sequence[Post]:
        """The posts, once so many have come."""
        deadline = time.monotonic() + seconds
        while len(self.posts) < count:
            assert time.monotonic() < deadline, f"{len(self.posts)} of {count} reports came"
            time.sleep(0.01)
        return self.posts


@contextmanager
def opened() -> Iterator[Postbox]:
    """A postbox on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            box.posts.append(Post(self.command, self.path, list(self.headers.items()), body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - the standard library's name

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        box = Postbox(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield box
        server.shutdown()
        thread.join()
