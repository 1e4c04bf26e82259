"""
The outermost layer: every answer gets an `X-Request-ID`, every failure an answer, and every request is counted.

A plain ASGI application around the whole of FastAPI, so that nothing leaves without passing it.
"""

import re
import time
from functools import cache

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sms_gateway.api.answers import send_problem
from sms_gateway.api.requests import DisconnectError
from sms_gateway.entropy import entropy
from sms_gateway.observability import metrics
from sms_gateway.observability.logs import describe
from sms_gateway.problems import Problem

log = structlog.get_logger()

_SANE = re.compile(rb"[A-Za-z0-9._~:/+=@-]{1,128}")


class Edge:
    """Wraps an application; `scope["sms_gateway.request_id"]` is what the request is called everywhere."""

    def __init__(self, app: ASGIApp, base_url: str, *, shortcuts: dict[tuple[str, str], ASGIApp]) -> None:
        self._app = app
        self._shortcuts = shortcuts
        self._base_url = base_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        scope["sms_gateway.request_id"] = request_id.decode()
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id)]
            await send(message)

        try:
            # Routes without parameters that need nothing from the layers in between are handed over at once.
            app = self._shortcuts.get((scope["method"], scope["path"]), self._app)
            await app(scope, receive, answer)
        except DisconnectError:
            return
        except Problem as problem:
            await send_problem(problem, self._base_url, answer)
        except Exception as failure:  # noqa: BLE001  (the entry point: whatever it is, the client gets an answer)
            error, where = describe(failure)
            log.error("request.failed", request_id=scope["sms_gateway.request_id"], error=error, where=where)
            if not status:
                await send_problem(Problem("internal"), self._base_url, answer)
        finally:
            self._count(scope, status, time.perf_counter() - started)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        # `path_format`: the template of the route, never the path, whose variety has no bound.
        route = getattr(scope.get("route"), "path_format", None)
        if route is None:
            route = scope["path"] if (scope["method"], scope["path"]) in self._shortcuts else "other"
        method = scope["method"] if scope["method"] in {"GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"} else "other"
        counter, timer = _instruments(method, route, status)
        counter.inc()
        timer.observe(seconds)


@cache
def _instruments(method: str, route: str, status: int) -> tuple[metrics.Count, metrics.Distribution]:
    return metrics.Count(metrics.REQUESTS.labels(method, route, str(status))), _timer(route)


@cache
def _timer(route: str) -> metrics.Distribution:
    return metrics.Distribution(metrics.SECONDS.labels(route))


def _request_id(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return value if _SANE.fullmatch(value) else _new_id()
    return _new_id()


def _new_id() -> bytes:
    return entropy(16).hex().encode()
