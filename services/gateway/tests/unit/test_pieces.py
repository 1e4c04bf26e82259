"""Days, alphabets, headers, problems and the schema's two uses."""

from datetime import datetime

import msgspec
import pytest

from sms_contract.keyspace import BATCH_ANSWER
from sms_gateway.admission.reserve import read_record
from sms_gateway.api import examples, openapi
from sms_gateway.api.requests import idempotency_key, must_be_json, traceparent
from sms_gateway.batch_reading import read_batch
from sms_gateway.clock import Calendar, Clock
from sms_gateway.problems import Problem, render
from sms_gateway.schema import SendMessage
from sms_gateway.schema_batches import BatchAccepted, CancelRequested, PreviewText


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("zone", "now", "name", "hours"),
    [
        ("UTC", "2024-11-03T23:59:59Z", "20241103", 24),
        ("America/New_York", "2024-11-03T12:00:00Z", "20241103", 25),
        ("America/New_York", "2024-03-10T12:00:00Z", "20240310", 23),
        ("Asia/Tehran", "2024-11-03T20:30:00Z", "20241104", 24),
        ("Not/AZone", "2024-11-03T12:00:00Z", "20241103", 24),
        ("../../etc/passwd", "2024-11-03T12:00:00Z", "20241103", 24),
    ],
)
def test_a_day_is_that_of_the_clients_time_zone(zone: str, now: str, name: str, hours: int) -> None:
    calendar = Calendar()
    day = calendar.day(zone, ms(now))
    assert (day.name, (day.ends_ms - day.starts_ms) / 3_600_000) == (name, hours)
    assert calendar.day(zone, day.ends_ms - 1) == day
    assert calendar.day(zone, day.ends_ms).starts_ms == day.ends_ms


def test_the_clock_takes_the_time_of_redis() -> None:
    clock = Clock()
    clock.adjust(5_000_000.0, before=10.0, after=10.2)
    first = clock.now_ms()
    clock.adjust(6_000_000.0, before=10.0, after=10.2)
    assert 999_999 <= clock.now_ms() - first < 1_002_000


@pytest.mark.parametrize(
    ("value", "key"), [(b"abc", "abc"), (b'"abc"', "abc"), (b'"a\\"b\\\\"', 'a"b\\'), (b'a"b', 'a"b'), (b"!" * 255, "!" * 255)]
)
def test_idempotency_keys(value: bytes, key: str) -> None:
    raw = [(b"idempotency-key", value)]
    assert idempotency_key(dict(raw), raw) == key


@pytest.mark.parametrize("value", [b"", b"a b", b'"a', b'"', b'""', b'"a b"', b'"a"b"', b"\xc3\xa9", b"x" * 256, b"a\x7f"])
def test_malformed_idempotency_keys(value: bytes) -> None:
    raw = [(b"idempotency-key", value)]
    with pytest.raises(Problem):
        idempotency_key(dict(raw), raw)


def test_two_idempotency_keys_are_none() -> None:
    raw = [(b"idempotency-key", b"a"), (b"idempotency-key", b"b")]
    with pytest.raises(Problem):
        idempotency_key(dict(raw), raw)


@pytest.mark.parametrize(
    "value", [b"application/json", b"Application/JSON; charset=UTF-8", b'application/json;charset="utf-8"', b"application/json ; x=y"]
)
def test_json_is_json(value: bytes) -> None:
    must_be_json({b"content-type": value})


@pytest.mark.parametrize(
    ("value", "passed"),
    [
        (b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", True),
        (b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01", False),
        (b"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", False),
        (b"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", False),
        (b"nonsense", False),
    ],
)
def test_trace_context(value: bytes, passed: bool) -> None:
    assert (traceparent({b"traceparent": value}) is not None) is passed


def test_a_problem_has_all_its_parts() -> None:
    body, headers = render(Problem("broker.unconfirmed", tracking_id="x", retryable=False), "http://g")
    assert msgspec.json.decode(body) == {
        "type": "http://g/errors#broker.unconfirmed",
        "title": "It is not known whether the message was queued",
        "status": 503,
        "detail": "Repeat it with the same Idempotency-Key: at most one message results.",
        "code": "broker.unconfirmed",
        "retryable": False,
        "tracking_id": "x",
    }
    assert 1 <= int(dict(headers)[b"retry-after"]) <= 4


def test_a_record_is_read_whatever_its_answer_holds() -> None:
    record = read_record(b'p|owner|17|3|20241103|digest|print|0|{"text":"a|b"}')
    assert (record.pending, record.deadline_ms, record.day, record.answer) == (True, 17, "20241103", b'{"text":"a|b"}')


def test_the_examples_keep_to_the_schema() -> None:
    for example in examples.SEND_MESSAGE.values():
        msgspec.convert(example["value"], SendMessage)
    schema = openapi.document()["components"]["schemas"]["SendMessage"]
    assert set(schema["properties"]) == {field.encode_name for field in msgspec.structs.fields(SendMessage)}
    assert schema["additionalProperties"] is False


def test_the_examples_of_batches_keep_to_the_schema() -> None:
    for example in examples.SEND_BATCH.values():
        read_batch(example["value"])
    for example in examples.PREVIEW_TEXT.values():
        msgspec.convert(example["value"], PreviewText)
    msgspec.convert(examples.CANCEL_REQUESTED, CancelRequested)
    answer = msgspec.convert(examples.BATCH_ACCEPTED, BatchAccepted)
    assert msgspec.json.encode(answer).startswith(BATCH_ANSWER)
    document = openapi.document("http://g")
    item = document["components"]["schemas"]["BatchItem"]
    assert set(item["properties"]) == {field.encode_name for field in msgspec.structs.fields(SendMessage)} - {"dry_run"}
    codes = {
        code
        for response in document["paths"]["/v1/batches"]["post"]["responses"].values()
        for code in response["content"].get("application/problem+json", {}).get("examples", {})
    }
    assert {"quota.exceeded", "rate.limited", "idempotency.key_reused", "route.none_available", "request.too_large"} <= codes
    assert "message.final" not in codes
