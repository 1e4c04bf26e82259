"""What a collector hears of a message: one trace through both servers, whoever began it; and nothing that is personal."""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import httpx
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from receiver import Received, Told, listening
from system import Provider, Sender, System, until

NUMBER, TEXT = "+447911123456", "The eagle lands at noon"


def caller(*, sampled: bool = True) -> tuple[str, str, str]:
    """A trace that a client has begun: its id, its span, and the header that says so."""
    trace, span = secrets.token_hex(16), secrets.token_hex(8)
    return trace, span, f"00-{trace}-{span}-0{int(sampled)}"


def whole(collector: Received, trace: str, *, spans: int = 3) -> dict[str, Told]:
    """The spans of a trace by name; of sends by number as well, as they came."""
    found = until(lambda: len(told := collector.of(trace)) >= spans and told, seconds=30, what=f"{spans} spans of {trace}") or []
    assert len(found) == spans, found
    sends = [told for told in found if told.name == "send"]
    return {told.name: told for told in found} | {f"send {number}": told for number, told in enumerate(sends, 1)}


def test_a_message_is_one_trace_from_its_caller_to_its_provider(collector: Received, shop: Sender, good: Provider) -> None:
    trace, span, header = caller()
    tracking_id = shop.send(NUMBER, text=TEXT, providers=[good.slug], traceparent=header).json()["tracking_id"]
    told = whole(collector, trace)
    request, store, send = told["POST /v1/messages"], told["store"], told["send"]
    assert (request.service, request.kind, request.parent) == ("smsgw-gateway", Span.SPAN_KIND_SERVER, span)
    assert (store.service, store.kind, store.parent) == ("smsgw-backend", Span.SPAN_KIND_CONSUMER, request.span)
    assert (send.service, send.kind, send.parent) == ("smsgw-backend", Span.SPAN_KIND_CLIENT, request.span)
    assert {one.about["smsgw.tracking_id"] for one in (request, store, send)} == {tracking_id}
    assert request.about["smsgw.client"] == store.about["smsgw.client"] == shop.id
    assert (send.about["smsgw.provider"], send.about["smsgw.outcome"], send.failed) == (good.slug, "accepted", False)
    assert all(0 <= one.seconds < 30 for one in (request, store, send))


def test_one_that_nobody_has_begun_begins_at_the_gateway(collector: Received, shop: Sender, good: Provider) -> None:
    tracking_id = shop.send(NUMBER, text=TEXT, providers=[good.slug]).json()["tracking_id"]
    about = "smsgw.tracking_id"
    (first,) = until(lambda: [told for told in list(collector.spans) if told.about.get(about) == tracking_id and not told.parent]) or []
    told = whole(collector, first.trace)
    assert told["store"].parent == told["send"].parent == told["POST /v1/messages"].span


def test_each_attempt_is_a_span_of_its_own(collector: Received, shop: Sender, good: Provider, busy: Provider) -> None:
    trace, _, header = caller()
    shop.send(NUMBER, text=TEXT, providers=[busy.slug, good.slug], traceparent=header)
    told = whole(collector, trace, spans=4)
    first, second = sorted((told["send 1"], told["send 2"]), key=lambda one: one.about["smsgw.outcome"], reverse=True)
    assert [(one.about["smsgw.provider"], one.about["smsgw.outcome"], one.failed) for one in (first, second)] == [
        (busy.slug, "unavailable", True),
        (good.slug, "accepted", False),
    ]


def test_a_batch_is_one_trace_with_all_that_is_in_it(collector: Received, shop: Sender, good: Provider, system: System) -> None:
    trace, span, header = caller()
    body = {"defaults": {"providers": [good.slug]}, "messages": [{"to": f"+4479111234{n}", "text": TEXT} for n in range(10, 13)]}
    answer = system.http.post(f"{system.gateway}/v1/batches", json=body, headers={"API-Key": shop.key, "traceparent": header})
    assert answer.status_code == 202, answer.text
    told = until(lambda: len(found := collector.of(trace)) >= 7 and found, seconds=30, what="seven spans") or []
    (request,) = [one for one in told if one.name == "POST /v1/batches"]
    assert request.parent == span
    assert sorted(one.name for one in told if one is not request) == ["send"] * 3 + ["store"] * 3
    assert {one.parent for one in told if one is not request} == {request.span}


def test_every_process_of_the_gateway_exports(collector: Received, shop: Sender, good: Provider, system: System) -> None:
    begun = []
    for _ in range(24):  # each by a connection of its own, so that both take some
        trace, _, header = caller()
        body = {"to": NUMBER, "text": TEXT, "providers": [good.slug]}
        httpx.post(f"{system.gateway}/v1/messages", json=body, headers={"API-Key": shop.key, "traceparent": header}).raise_for_status()
        begun.append(trace)
    told = [whole(collector, trace)["POST /v1/messages"] for trace in begun]
    processes = {one.instance for one in told}
    assert len(processes) == 2 or processes == {""}, "where the SDK says which process it is, there are two"


def test_what_the_caller_has_not_sampled_is_told_by_nobody(collector: Received, shop: Sender, good: Provider) -> None:
    silent, _, header = caller(sampled=False)
    shop.final(shop.send(NUMBER, text=TEXT, providers=[good.slug], traceparent=header).json()["tracking_id"])
    after, _, header = caller()
    shop.send(NUMBER, text=TEXT, providers=[good.slug], traceparent=header)
    whole(collector, after)
    assert collector.of(silent) == []


def test_a_collector_that_is_away_holds_nothing_up(port: int, received: Received, shop: Sender, good: Provider) -> None:
    for _ in range(3):
        assert shop.final(shop.send(NUMBER, text=TEXT, providers=[good.slug]).json()["tracking_id"])["status"] == "delivered"
    with listening(port, received):
        trace, _, header = caller()
        shop.send(NUMBER, text=TEXT, providers=[good.slug], traceparent=header)
        whole(received, trace)


def test_a_process_that_was_forked_exports_too(port: int, received: Received) -> None:
    """As by Celery's prefork pool: the module has been imported, and its exporter begun, before the fork."""
    trace, _, header = caller()
    program = (
        "import os, sys, time\n"
        "from sms_backend.core.traces import traces\n"
        "traces.told('before', sys.argv[1], seconds=0.1)\n"
        "if os.fork() == 0:\n"
        "    traces.told('after', sys.argv[1], seconds=0.1)\n"
        "    sys.stdin.read()\n"
        "    os._exit(0)\n"
        "os.wait()\n"
    )
    with listening(port, received), subprocess.Popen([sys.executable, "-c", program, header], stdin=subprocess.PIPE) as process:
        told = until(lambda: len(found := received.of(trace)) >= 2 and found, seconds=30, what="both spans") or []
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0
    assert sorted(one.name for one in told) == ["after", "before"]


def test_no_span_holds_a_number_a_text_or_a_key(received: Received, shop: Sender, good: Provider) -> None:
    assert len(received.spans) > 20, "the other tests have made some"
    for word in (NUMBER, NUMBER[1:], "79111234", TEXT, shop.key, good.auth_token, good.account_sid):
        assert not [body for body in received.bodies if word.encode() in body], word
    assert {name for told in received.spans for name in told.about} <= {
        "smsgw.tracking_id",
        "smsgw.batch_id",
        "smsgw.client",
        "smsgw.provider",
        "smsgw.outcome",
        "error.type",
    }


def test_what_exporters_say_meanwhile_is_one_event_a_line(system: System) -> None:
    folder = Path(os.environ["SMSGW_HOME"]) / "log"
    for name in ("gateway", "intake", "worker", "worker-upkeep"):
        for line in (folder / f"{name}.log").read_text().splitlines():
            assert {"event", "level"} <= json.loads(line).keys(), (name, line[:200])
