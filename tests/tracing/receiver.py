"""A collector: takes what OpenTelemetry's exporters post (OTLP over HTTP, protobuf), and keeps it, decoded and raw."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import KeyValue


@dataclass(frozen=True, kw_only=True)
class Told:
    """One span, as it came."""

    service: str
    instance: str  #: of the process that told it
    name: str
    kind: int
    trace: str
    span: str
    parent: str
    failed: bool
    seconds: float
    about: dict[str, str]


@dataclass
class Received:
    """Everything that came so far."""

    spans: list[Told] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def of(self, trace: str) -> list[Told]:
        """One trace, in the order in which its spans began to be told."""
        return [told for told in list(self.spans) if told.trace == trace]

    def add(self, body: bytes) -> None:
        self.bodies.append(body)
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = _strings(group.resource.attributes)
            for span in (span for scope in group.scope_spans for span in scope.spans):
                told = Told(
                    service=resource.get("service.name", ""),
                    instance=resource.get("service.instance.id", ""),
                    name=span.name,
                    kind=span.kind,
                    trace=span.trace_id.hex(),
                    span=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    failed=span.status.code == span.status.STATUS_CODE_ERROR,
                    seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
                    about=_strings(span.attributes),
                )
                self.spans.append(told)


@contextmanager
def listening(port: int, received: Received) -> Iterator[None]:
    """Take what is posted to a port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            received.add(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield
        server.shutdown()
        thread.join()


def _strings(attributes: "Iterator[KeyValue]") -> dict[str, str]:
    return {attribute.key: attribute.value.string_value for attribute in attributes}
