"""Answers, on the level of ASGI."""

from functools import lru_cache

from starlette.types import Send

from sms_gateway.observability import metrics
from sms_gateway.problems import Problem, render

Headers = list[tuple[bytes, bytes]]


async def send_answer(send: Send, status: int, headers: Headers, body: bytes) -> None:
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_problem(problem: Problem, base_url: str, send: Send) -> None:
    body, headers = render(problem, base_url)
    _counter(problem.code).inc()
    await send_answer(send, problem.status, headers, body)


@lru_cache(maxsize=256)
def _counter(code: str) -> metrics.Counter:
    return metrics.PROBLEMS.labels(code)
