"""Answers, on the level of ASGI."""

from functools import lru_cache

import msgspec
from starlette.responses import Response
from starlette.types import Send

from sms_gateway.observability import metrics
from sms_gateway.problems import Problem, render

Headers = list[tuple[bytes, bytes]]


class Answer(msgspec.Struct):
    """A whole answer, without the headers that every answer has."""

    status: int
    headers: Headers
    body: bytes


async def send_answer(send: Send, status: int, headers: Headers, body: bytes) -> None:
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_problem(problem: Problem, base_url: str, send: Send) -> None:
    await send_answer(send, problem.status, *_problem(problem, base_url))


def problem_response(problem: Problem, base_url: str) -> Response:
    """The same, for those who speak in Starlette's responses."""
    headers, body = _problem(problem, base_url)
    response = Response(body, status_code=problem.status)
    response.raw_headers.extend(headers)
    return response


def _problem(problem: Problem, base_url: str) -> tuple[Headers, bytes]:
    body, headers = render(problem, base_url)
    _counter(problem.code).inc()
    return headers, body


@lru_cache(maxsize=256)
def _counter(code: str) -> metrics.Counter:
    return metrics.PROBLEMS.labels(code)
