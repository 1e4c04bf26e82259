"""
`POST /v1/messages`: the hot path.

A plain ASGI endpoint, because FastAPI's own way of reading a body costs more than all the rest; it is a route of the application all the
same, and documented from the schema that validates it (`openapi`).
"""

import asyncio

import structlog
from starlette.types import Receive, Scope, Send

from sms_gateway.api.answers import Headers, send_answer
from sms_gateway.api.requests import address, idempotency_key, must_be_json, read_body, traceparent
from sms_gateway.cache import CacheError
from sms_gateway.clock import Day
from sms_gateway.directory import Principal
from sms_gateway.drafts import draft
from sms_gateway.gateway import Gateway
from sms_gateway.observability import metrics
from sms_gateway.problems import Problem
from sms_gateway.schema import MAX_MESSAGE
from sms_gateway.submission import RefusedByAdmission
from sms_gateway.validation import read_message

log = structlog.get_logger()

_ACCEPTED = {
    (mode, traffic_type): metrics.Count(metrics.ACCEPTED.labels(mode, traffic_type))
    for mode in ("live", "test")
    for traffic_type in ("otp", "transactional", "promotional")
}


class SendMessages:
    """The endpoint."""

    PATH = "/v1/messages"

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gateway = self._gateway
        raw: list[tuple[bytes, bytes]] = scope["headers"]
        headers = dict(raw)
        principal = await gateway.authenticator.authenticate(headers, address(scope), "messages:send")
        if principal.client.suspended:
            raise Problem("client.suspended")
        must_be_json(headers)
        body = await read_body(headers, receive, MAX_MESSAGE)
        arrived = asyncio.get_running_loop().time()
        try:
            request = read_message(body)
        except Problem as problem:
            if problem.code == "request.invalid":
                idempotency_key(headers, raw)  # its form is judged before the fields
            raise
        key = idempotency_key(headers, raw)
        try:
            providers = await gateway.directory.providers()
        except CacheError as error:
            raise Problem("cache.unavailable") from error
        wish = draft(request, principal, providers, idempotency_key=key, now_ms=gateway.clock.now_ms())
        wish.traceparent = traceparent(headers)
        try:
            outcome = await gateway.submissions.submit(wish, arrived=arrived)
        except RefusedByAdmission as problem:
            problem.headers += limits(principal, problem.used, problem.day, wish.created_ms)
            raise
        answer: Headers = [(b"content-type", b"application/json"), *limits(principal, outcome.used, outcome.day, wish.created_ms)]
        if outcome.kind == "dry_run":
            await send_answer(send, 200, answer, outcome.body)
            return
        answer.append((b"location", b"/v1/messages/" + outcome.tracking_id.encode()))
        if outcome.kind == "replayed":
            answer.append((b"idempotent-replayed", b"true"))
            metrics.REPLAYED.inc()
        else:
            _ACCEPTED[principal.mode, wish.traffic_type].inc()
            log.info(
                "message.accepted",
                tracking_id=outcome.tracking_id,
                client=principal.client.id,
                mode=principal.mode,
                traffic_type=wish.traffic_type,
                segments=wish.content.segments.count,
                encoding=wish.content.segments.encoding,
                request_id=scope["sms_gateway.request_id"],
                duration_ms=int((asyncio.get_running_loop().time() - arrived) * 1000),
            )
        await send_answer(send, 202, answer, outcome.body)


def limits(principal: Principal, used: int, day: Day, now_ms: int) -> Headers:
    """The headers that tell a client of its limits, and of what is left of them."""
    if not principal.policy:
        return []
    headers = [(b"ratelimit-policy", principal.policy)]
    limit = principal.client.daily_limit
    if limit is not None:
        headers.append((b"ratelimit", b'"daily";r=%d;t=%d' % (max(0, limit - used), max(0, -(-(day.ends_ms - now_ms) // 1000)))))
    return headers
