"""`POST /v1/batches`: many messages in one request."""

import asyncio

import structlog

from sms_contract.trace import trace_id
from sms_gateway.api.answers import Answer, Headers
from sms_gateway.api.limits import limits
from sms_gateway.api.requests import traceparent
from sms_gateway.api.sending import Arrival, Sending
from sms_gateway.batch import BatchRequest
from sms_gateway.observability import metrics
from sms_gateway.problems import Problem
from sms_gateway.schema_batches import MAX_BATCH

log = structlog.get_logger()


class SendBatches(Sending):
    """The endpoint."""

    PATH = "/v1/batches"
    MAX_BODY = MAX_BATCH

    async def take(self, arrival: Arrival) -> Answer:
        gateway, principal = self.gateway, arrival.principal
        key: str | Problem | None
        try:
            key = arrival.idempotency_key()
        except Problem as malformed:
            key = malformed  # judged after the JSON
        with gateway.traces.span("POST /v1/batches", traceparent(arrival.headers)) as span:
            request = BatchRequest(principal=principal, body=arrival.body, key=key, traceparent=span.traceparent, arrived=arrival.moment)
            outcome = await gateway.batches.submit(request)
            span.about(batch_id=outcome.batch_id, client=principal.client.id)
        told: Headers = [(b"content-type", b"application/json"), *limits(principal, outcome.used, outcome.day, outcome.now_ms)]
        if outcome.kind == "replayed":
            told.append((b"idempotent-replayed", b"true"))
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
                request_id=arrival.scope["sms_gateway.request_id"],
                trace_id=trace_id(request.traceparent, outcome.batch_id),
                duration_ms=int((asyncio.get_running_loop().time() - arrival.moment) * 1000),
            )
        return Answer(202, told, outcome.body)
