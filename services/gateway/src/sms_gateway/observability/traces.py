"""
Traces by OpenTelemetry, where the extra `otel` is installed and `OTEL_EXPORTER_OTLP_ENDPOINT` says where they go; else nothing at all.

A span's context goes into the envelope as `traceparent`, and Server B goes on from there (W3C Trace Context). Where to send, how much to
sample and what the service is called are OpenTelemetry's own variables: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

import os
from typing import Any, Self

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
SERVICE = "smsgw-gateway"


class Span:
    """What is done within `with` for one request; where traces are off it does nothing but hand the caller's context on."""

    __slots__ = ("_span", "traceparent")

    def __init__(self, span: Any, traceparent: str | None) -> None:
        self._span = span
        #: What goes on with the message: this span's own context, or what the caller sent.
        self.traceparent = traceparent

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _where: object) -> None:
        if self._span is None:
            return
        if error is not None:
            # By its kind alone: what an exception says may quote a request.
            self._span.set_attribute("error.type", type(error).__name__)
            self._span.set_status(StatusCode.ERROR)
        self._span.end()

    def about(self, **attributes: str) -> None:
        """Which message or batch it is, once that is known."""
        if self._span is not None:
            self._span.set_attributes({f"smsgw.{name}": value for name, value in attributes.items()})


class Traces:
    """Begins spans; `OFF` begins none."""

    def __init__(self, tracer: "Tracer | None") -> None:
        self._tracer = tracer

    def span(self, name: str, traceparent: str | None) -> Span:
        """A span under the caller's, whose name is a method and a route."""
        if self._tracer is None:
            return Span(None, traceparent)
        parent = TraceContextTextMapPropagator().extract({"traceparent": traceparent} if traceparent else {})
        span = self._tracer.start_span(name, context=parent, kind=SpanKind.SERVER)
        context = span.get_span_context()
        return Span(span, f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}")


OFF = Traces(None)


def from_environment() -> Traces:
    """As OpenTelemetry's variables say."""
    wanted = any(os.environ.get(name) for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))
    if not wanted or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return OFF
    if not INSTALLED:
        log.warning("traces.off", reason="OTEL_EXPORTER_OTLP_ENDPOINT is set; install sms-gateway[otel]")
        return OFF
    provider = TracerProvider(resource=Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", SERVICE)}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Traces(provider.get_tracer("sms_gateway"))
