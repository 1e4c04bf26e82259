"""
`POST /v1/messages`: the hot path.

A plain ASGI endpoint, because FastAPI's own way of reading a body costs more than all the rest; it is a route of the application all the
same, and documented from the schema that validates it (`openapi`).
"""

import asyncio

import structlog
from starlette.types import Receive, Scope, Send

from sms_contract.trace import trace_id
from sms_gateway.api.answers import Answer, Headers, send_answer
from sms_gateway.api.limits import limits, limits_of_refused
from sms_gateway.api.requests import address, idempotency_key, must_be_json, read_body, traceparent
from sms_gateway.cache import CacheError
from sms_gateway.directory import Principal
from sms_gateway.drafts import draft
from sms_gateway.gateway import Gateway
from sms_gateway.observability import metrics
from sms_gateway.problems import Problem
from sms_gateway.schema import MAX_MESSAGE
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
        answer = await self.answer(scope, receive)
        await send_answer(send, answer.status, answer.headers, answer.body)

    async def answer(self, scope: Scope, receive: Receive) -> Answer:
        """The same for who sends it himself. Raises `Problem`."""
        gateway = self._gateway
        headers = dict(scope["headers"])
        principal = await gateway.authenticator.authenticate(headers, address(scope), "messages:send")
        try:
            return await self._answer(principal, headers, scope, receive)
        except Problem as problem:
            problem.headers += await limits_of_refused(problem, gateway, principal)
            raise

    async def _answer(self, principal: Principal, headers: dict[bytes, bytes], scope: Scope, receive: Receive) -> Answer:
        gateway = self._gateway
        raw: list[tuple[bytes, bytes]] = scope["headers"]
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
            providers = gateway.directory.fresh_providers() or await gateway.directory.providers()
        except CacheError as error:
            raise Problem("cache.unavailable") from error
        wish = draft(request, principal, providers, body=body, idempotency_key=key, now_ms=gateway.clock.now_ms())
        with gateway.traces.span("POST /v1/messages", traceparent(headers)) as span:
            wish.traceparent = span.traceparent
            outcome = await gateway.submissions.submit(wish, arrived=arrived)
            span.about(tracking_id=outcome.tracking_id, client=principal.client.id)
        told: Headers = [(b"content-type", b"application/json"), *limits(principal, outcome.used, outcome.day, wish.created_ms)]
        if outcome.kind == "dry_run":
            return Answer(200, told, outcome.body)
        told.append((b"location", b"/v1/messages/" + outcome.tracking_id.encode()))
        if outcome.kind == "replayed":
            told.append((b"idempotent-replayed", b"true"))
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
                trace_id=trace_id(wish.traceparent, outcome.tracking_id),
                duration_ms=int((asyncio.get_running_loop().time() - arrived) * 1000),
            )
        return Answer(202, told, outcome.body)
