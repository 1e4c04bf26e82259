"""Traces: the caller's is gone on with, Server B is told where, and nothing is done where nobody listens."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from sms_gateway.observability import traces
from sms_gateway.observability.traces import OFF, Traces
from sms_gateway.problems import Problem

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def heard() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def on(heard) -> Traces:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(heard))
    return Traces(provider.get_tracer("test"))


def test_the_callers_trace_is_gone_on_with(on, heard):
    with on.span("POST /v1/messages", CALLER) as span:
        span.about(tracking_id="0192f0c1")
    (told,) = heard.get_finished_spans()
    assert (told.name, told.kind, dict(told.attributes)) == ("POST /v1/messages", SpanKind.SERVER, {"smsgw.tracking_id": "0192f0c1"})
    assert f"{told.parent.span_id:016x}" == "00f067aa0ba902b7"
    # What goes on with the message is this span, in the same trace.
    assert span.traceparent == f"00-4bf92f3577b34da6a3ce929d0e0e4736-{told.context.span_id:016x}-01"


def test_without_one_a_trace_begins(on, heard):
    with on.span("POST /v1/messages", None) as span:
        pass
    (told,) = heard.get_finished_spans()
    assert told.parent is None
    assert span.traceparent == f"00-{told.context.trace_id:032x}-{told.context.span_id:016x}-{told.context.trace_flags:02x}"


def test_an_error_is_told_by_its_kind_and_not_by_its_words(on, heard):
    with pytest.raises(Problem), on.span("POST /v1/messages", None):
        raise Problem("broker.unavailable", "+447700900123 could not be queued")
    (told,) = heard.get_finished_spans()
    assert told.status.status_code == StatusCode.ERROR
    assert dict(told.attributes) == {"error.type": "Problem"}
    assert "447700900123" not in told.to_json()


@pytest.mark.parametrize("traceparent", [None, CALLER])
def test_where_nobody_listens_only_the_callers_context_goes_on(traceparent):
    with OFF.span("POST /v1/messages", traceparent) as span:
        span.about(tracking_id="0192f0c1")
    assert span.traceparent == traceparent


def test_they_are_off_unless_somewhere_is_named(monkeypatch):
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    assert traces.from_environment() is OFF


def test_one_that_lacks_the_extra_says_so_and_goes_on_without(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setattr(traces, "INSTALLED", False)
    said = []
    monkeypatch.setattr(traces, "log", type("Log", (), {"warning": lambda _self, event, **fields: said.append((event, fields))})())
    assert traces.from_environment() is OFF
    assert said == [("traces.off", {"reason": "OTEL_EXPORTER_OTLP_ENDPOINT is set; install sms-gateway[otel]"})]
