"""
The outermost layer: every answer gets an `X-Request-ID`, every failure an answer, and every request is counted.

A plain ASGI application around the whole of FastAPI, so that nothing leaves without passing it.
"""

import re
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sms_gateway.api.answers import Answer, send_answer, send_problem
from sms_gateway.api.requests import DisconnectError, cycle_of
from sms_gateway.entropy import entropy
from sms_gateway.observability import metrics
from sms_gateway.observability.logs import describe
from sms_gateway.problems import Problem

log = structlog.get_logger()

_SANE = re.compile(rb"[A-Za-z0-9._~:/+=@-]{1,128}")


type Endpoint = Callable[[Scope, Receive], Awaitable[Answer]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shortcut:
    """A route that needs nothing from the layers in between."""

    route: str  #: as it is counted
    methods: Collection[str]
    serves: Callable[[str], bool]  #: whether a path is one of its
    endpoint: Endpoint


class Edge:
    """
    Wraps an application; `scope["sms_gateway.request_id"]` is what the request is called everywhere.

    Requests for one of the `shortcuts` are handed over at once.
    """

    def __init__(self, app: ASGIApp, base_url: str, *, shortcuts: Sequence[Shortcut]) -> None:
        self._app = app
        self._shortcuts = shortcuts
        self._base_url = base_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        name = _request_id(scope)
        scope["sms_gateway.request_id"] = name
        request_id = name.encode()
        stamped = _Stamped(send, request_id)
        shortcut = self._shortcut(scope["method"], scope["path"])
        try:
            if shortcut is None:
                await self._app(scope, receive, stamped)
            else:
                answer = await shortcut.endpoint(scope, receive)
                stamped.status = answer.status
                answer.headers.append((b"x-request-id", request_id))
                cycle = cycle_of(scope)
                if cycle is None or not cycle.answer(answer.status, answer.headers, answer.body):
                    await send_answer(send, answer.status, answer.headers, answer.body)
        except DisconnectError:
            return
        except Problem as problem:
            await send_problem(problem, self._base_url, stamped)
        except Exception as failure:  # noqa: BLE001  (the entry point: whatever it is, the client gets an answer)
            error, where = describe(failure)
            log.error("request.failed", request_id=scope["sms_gateway.request_id"], error=error, where=where)
            if not stamped.status:
                await send_problem(Problem("internal"), self._base_url, stamped)
        finally:
            if "extensions" in scope:
                # Request and scope know each other: without this the collector would have to find out that nobody else does.
                del scope["extensions"]
            self._count(scope, shortcut, stamped.status, time.perf_counter() - started)

    def _shortcut(self, method: str, path: str) -> Shortcut | None:
        for one in self._shortcuts:
            if method in one.methods and one.serves(path):
                return one
        return None

    def _count(self, scope: Scope, shortcut: Shortcut | None, status: int, seconds: float) -> None:
        # `path_format`: the template of the route, never the path, whose variety has no bound.
        route = getattr(scope.get("route"), "path_format", "other") if shortcut is None else shortcut.route
        method = scope["method"] if scope["method"] in {"GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"} else "other"
        counter, timer = _instruments(method, route, status)
        counter.inc()
        timer.observe(seconds)


class _Stamped:
    """Sends what it is given, with the request's id on it; `status` is that of the answer, once there is one."""

    __slots__ = ("_request_id", "_send", "status")

    def __init__(self, send: Send, request_id: bytes) -> None:
        self._send = send
        self._request_id = request_id
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], (b"x-request-id", self._request_id)]
        await self._send(message)


@cache
def _instruments(method: str, route: str, status: int) -> tuple[metrics.Count, metrics.Distribution]:
    return metrics.Count(metrics.REQUESTS.labels(method, route, str(status))), _timer(route)


@cache
def _timer(route: str) -> metrics.Distribution:
    return metrics.Distribution(metrics.SECONDS.labels(route))


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return value.decode() if _SANE.fullmatch(value) else entropy(16).hex()
    return entropy(16).hex()
