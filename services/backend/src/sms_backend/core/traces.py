"""
Traces by OpenTelemetry, where the extra `otel` is installed and `OTEL_EXPORTER_OTLP_ENDPOINT` says where they go; else nothing at all.

Server B goes on from the `traceparent` that came with a message. What it does is told once it is done: work is shared by many messages,
so that none of them is "current" while it lasts.
Variables: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

import os
import time
from collections.abc import Mapping

import structlog

try:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import SpanKind, StatusCode, Tracer
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    INSTALLED = True
except ImportError:  # the extra is not there
    INSTALLED = False

log = structlog.get_logger()
SERVICE = "smsgw-backend"


class Traces:
    """Tells of what was done for a message; `OFF` tells nothing."""

    def __init__(self, tracer: "Tracer | None") -> None:
        self._tracer = tracer

    @property
    def on(self) -> bool:
        """Whether anybody listens: what is only worked out for a span need not be."""
        return self._tracer is not None

    def told(
        self,
        name: str,
        traceparent: str | None,
        *,
        seconds: float,
        failed: bool = False,
        call: bool = False,
        about: Mapping[str, str] | None = None,
    ) -> None:
        """
        A span that ends now and lasted `seconds`, under the message's; one without a `traceparent` has none.

        `call`: it was a request to somebody else.
        """
        if self._tracer is None or traceparent is None:
            return
        end = time.time_ns()
        parent = TraceContextTextMapPropagator().extract({"traceparent": traceparent})
        kind = SpanKind.CLIENT if call else SpanKind.CONSUMER
        span = self._tracer.start_span(name, context=parent, kind=kind, start_time=end - int(seconds * 1e9), attributes=about)
        if failed:
            span.set_status(StatusCode.ERROR)
        span.end(end)


OFF = Traces(None)


def from_environment() -> Traces:
    """As OpenTelemetry's variables say."""
    wanted = any(os.environ.get(name) for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))
    if not wanted or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return OFF
    if not INSTALLED:
        log.warning("traces.off", reason="OTEL_EXPORTER_OTLP_ENDPOINT is set; install sms-backend[otel]")
        return OFF
    provider = TracerProvider(resource=Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", SERVICE)}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Traces(provider.get_tracer("sms_backend"))


traces = from_environment()
