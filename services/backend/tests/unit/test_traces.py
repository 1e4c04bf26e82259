"""What was done for a message is told in its own trace."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from sms_backend.core import traces
from sms_backend.core.traces import OFF, Traces

MESSAGE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def heard() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def on(heard) -> Traces:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(heard))
    return Traces(provider.get_tracer("test"))


def test_a_send_is_a_call_under_the_request_that_accepted_the_message(on, heard):
    on.told("send", MESSAGE, seconds=0.25, failed=True, call=True, about={"smsgw.provider": "alpha"})
    (told,) = heard.get_finished_spans()
    assert (told.name, told.kind, told.status.status_code) == ("send", SpanKind.CLIENT, StatusCode.ERROR)
    assert f"{told.context.trace_id:032x}" == MESSAGE[3:35]
    assert f"{told.parent.span_id:016x}" == MESSAGE[36:52]
    assert told.end_time - told.start_time == 250_000_000
    assert dict(told.attributes) == {"smsgw.provider": "alpha"}


def test_storing_is_no_call_and_has_not_failed(on, heard):
    on.told("store", MESSAGE, seconds=0.01)
    (told,) = heard.get_finished_spans()
    assert (told.kind, told.status.status_code) == (SpanKind.CONSUMER, StatusCode.UNSET)


def test_a_message_without_a_trace_has_no_span(on, heard):
    on.told("send", None, seconds=0.25)
    assert heard.get_finished_spans() == ()


def test_they_are_off_unless_somewhere_is_named(monkeypatch):
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    assert traces.from_environment() is OFF
    assert not OFF.on
    OFF.told("send", MESSAGE, seconds=0.25)
