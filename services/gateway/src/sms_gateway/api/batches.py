"""`POST /v1/batches`: many messages in one request; a plain ASGI endpoint, as `send` is."""

import asyncio

import structlog
from starlette.types import Receive, Scope, Send

from sms_contract.trace import trace_id
from sms_gateway.api.answers import Headers, send_answer
from sms_gateway.api.limits import limits, limits_of_refused
from sms_gateway.api.requests import address, idempotency_key, must_be_json, read_body, traceparent
from sms_gateway.batch import BatchRequest
from sms_gateway.directory import Principal
from sms_gateway.gateway import Gateway
from sms_gateway.observability import metrics
from sms_gateway.problems import Problem
from sms_gateway.schema_batches import MAX_BATCH

log = structlog.get_logger()


class SendBatches:
    """The endpoint."""

    PATH = "/v1/batches"

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gateway = self._gateway
        headers = dict(scope["headers"])
        principal = await gateway.authenticator.authenticate(headers, address(scope), "messages:send")
        try:
            await self._send(principal, headers, scope, receive, send)
        except Problem as problem:
            problem.headers += await limits_of_refused(problem, gateway, principal)
            raise

    async def _send(self, principal: Principal, headers: dict[bytes, bytes], scope: Scope, receive: Receive, send: Send) -> None:
        gateway = self._gateway
        if principal.client.suspended:
            raise Problem("client.suspended")
        must_be_json(headers)
        body = await read_body(headers, receive, MAX_BATCH)
        arrived = asyncio.get_running_loop().time()
        key: str | Problem | None
        try:
            key = idempotency_key(headers, scope["headers"])
        except Problem as malformed:
            key = malformed  # judged after the JSON
        with gateway.traces.span("POST /v1/batches", traceparent(headers)) as span:
            request = BatchRequest(principal=principal, body=body, key=key, traceparent=span.traceparent, arrived=arrived)
            outcome = await gateway.batches.submit(request)
            span.about(batch_id=outcome.batch_id, client=principal.client.id)
        answer: Headers = [(b"content-type", b"application/json"), *limits(principal, outcome.used, outcome.day, outcome.now_ms)]
        if outcome.kind == "replayed":
            answer.append((b"idempotent-replayed", b"true"))
            metrics.REPLAYED.inc()
        else:
            for traffic_type, count in outcome.lanes.items():
                metrics.ACCEPTED.labels(principal.mode, traffic_type).inc(count)
            log.info(
                "batch.accepted",
                batch_id=outcome.batch_id,
                client=principal.client.id,
                mode=principal.mode,
                accepted=sum(outcome.lanes.values()),
                request_id=scope["sms_gateway.request_id"],
                trace_id=trace_id(request.traceparent, outcome.batch_id),
                duration_ms=int((asyncio.get_running_loop().time() - arrived) * 1000),
            )
        await send_answer(send, 202, answer, outcome.body)
