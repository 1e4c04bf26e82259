"""`POST /v1/messages`: the hot path."""

import asyncio

import structlog

from sms_contract.trace import trace_id
from sms_gateway.api.answers import Answer, Headers
from sms_gateway.api.limits import limits
from sms_gateway.api.requests import traceparent
from sms_gateway.api.sending import Arrival, Sending
from sms_gateway.cache import CacheError
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


class SendMessages(Sending):
    """The endpoint."""

    PATH = "/v1/messages"
    MAX_BODY = MAX_MESSAGE

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway)
        #: Bound once: the module's finds out at each line what it was configured to be.
        self._log = log.bind()

    async def take(self, arrival: Arrival) -> Answer:
        gateway, principal = self.gateway, arrival.principal
        try:
            request = read_message(arrival.body)
        except Problem as problem:
            if problem.code == "request.invalid":
                arrival.idempotency_key()  # its form is judged before the fields
            raise
        key = arrival.idempotency_key()
        try:
            providers = gateway.directory.fresh_providers() or await gateway.directory.providers()
        except CacheError as error:
            raise Problem("cache.unavailable") from error
        wish = draft(request, principal, providers, body=arrival.body, idempotency_key=key, now_ms=gateway.clock.now_ms())
        with gateway.traces.span("POST /v1/messages", traceparent(arrival.headers)) as span:
            wish.traceparent = span.traceparent
            outcome = await gateway.submissions.submit(wish, arrived=arrival.moment)
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
            self._log.info(
                "message.accepted",
                tracking_id=outcome.tracking_id,
                client=principal.client.id,
                mode=principal.mode,
                traffic_type=wish.traffic_type,
                segments=wish.content.segments.count,
                encoding=wish.content.segments.encoding,
                request_id=arrival.scope["sms_gateway.request_id"],
                trace_id=trace_id(wish.traceparent, outcome.tracking_id),
                duration_ms=int((asyncio.get_running_loop().time() - arrival.moment) * 1000),
            )
        return Answer(202, told, outcome.body)
