"""What a body may be, and everything that is said about one that may not."""

import json

import pytest

from sms_gateway.problems import Problem
from sms_gateway.validation import moment_ms, read_message

GOOD = {"to": "+447911123456", "text": "hello"}


def refused(body: bytes | dict) -> Problem:
    with pytest.raises(Problem) as raised:
        read_message(body if isinstance(body, bytes) else json.dumps(body).encode())
    return raised.value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'to':1}",
        b'{"to":"a","text":NaN}',
        b'{"to":"a","text":"\\ud800"}',
        b'{"to":"a","text":"\\udc00\\ud800"}',
        b'{"to":"a","text":"\xff"}',
        b'{"to":"a","text":"\xed\xa0\x80"}',
        b"\xef\xbb\xbf{}",
        b'{"to":"a","text":"x"} x',
        b'{"to":5, garbage',
        b"[" * 50_000,
        b'{"to":' + b"[" * 50_000,
        b'{"to":"a","text":"x","validity_period":1e400}',
    ],
)
def test_what_is_no_json_is_400_and_harms_nothing(body: bytes) -> None:
    problem = refused(body)
    assert (problem.code, problem.status) == ("request.invalid_json", 400)


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"5", b"null", b"true"])
def test_a_body_that_is_no_object_is_refused_as_a_wrong_type(body: bytes) -> None:
    problem = refused(body)
    assert (problem.code, problem.errors[0].pointer) == ("request.invalid", "")


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"to": None}, "/to", "type"),
        ({"to": 447911123456}, "/to", "type"),
        ({"to": ""}, "/to", "empty"),
        ({"text": ""}, "/text", "empty"),
        ({"text": "x" * 1601}, "/text", "length"),
        ({"text": "a\0b"}, "/text", "nul"),
        ({"reference": "a\0b"}, "/reference", "nul"),
        ({"reference": ""}, "/reference", "empty"),
        ({"reference": "x" * 129}, "/reference", "length"),
        ({"from": ""}, "/from", "empty"),
        ({"from": None}, "/from", "type"),
        ({"providers": "alpha"}, "/providers", "type"),
        ({"providers": ["alpha", 3]}, "/providers/1", "type"),
        ({"providers": [""]}, "/providers/0", "length"),
        ({"callback_url": "ftp://example.com"}, "/callback_url", "url"),
        ({"callback_url": "https://"}, "/callback_url", "url"),
        ({"callback_url": "https://a b"}, "/callback_url", "url"),
        ({"callback_url": "https://x/" + "x" * 2048}, "/callback_url", "length"),
        ({"validity_period": 29}, "/validity_period", "range"),
        ({"validity_period": 259201}, "/validity_period", "range"),
        ({"validity_period": 30.5}, "/validity_period", "type"),
        ({"validity_period": True}, "/validity_period", "type"),
        ({"validity_period": "60"}, "/validity_period", "type"),
        ({"send_at": "tomorrow"}, "/send_at", "time"),
        ({"send_at": "2030-01-01T00:00:00"}, "/send_at", "time"),
        ({"send_at": 1893456000}, "/send_at", "type"),
        ({"encoding": "utf8"}, "/encoding", "choice"),
        ({"max_segments": 0}, "/max_segments", "range"),
        ({"max_segments": 11}, "/max_segments", "range"),
        ({"traffic_type": "spam"}, "/traffic_type", "choice"),
        ({"on_unknown": "guess"}, "/on_unknown", "choice"),
        ({"failover_on": "undelivered"}, "/failover_on", "type"),
        ({"failover_on": ["expired"]}, "/failover_on/0", "choice"),
        ({"failover_on": ["undelivered", "undelivered"]}, "/failover_on", "length"),
        ({"metadata": []}, "/metadata", "type"),
        ({"metadata": {"a": 1}}, "/metadata", "type"),
        ({"metadata": {str(i): "" for i in range(11)}}, "/metadata", "length"),
        ({"metadata": {"a": "é" * 512}}, "/metadata", "too_long"),
        ({"metadata": {"a": "\0"}}, "/metadata", "nul"),
        ({"dry_run": "yes"}, "/dry_run", "type"),
        ({"sender": "ACME"}, "/sender", "unknown"),
        ({"a/b~c": 1}, "/a~1b~0c", "unknown"),
    ],
)
def test_each_field_has_its_rule(change: dict, pointer: str, code: str) -> None:
    problem = refused(GOOD | change)
    assert problem.code == "request.invalid"
    assert [(mistake.pointer, mistake.code) for mistake in problem.errors] == [(pointer, code)]


@pytest.mark.parametrize("name", ["to", "text"])
def test_required_fields_are_required(name: str) -> None:
    problem = refused({key: value for key, value in GOOD.items() if key != name})
    assert [(mistake.pointer, mistake.code) for mistake in problem.errors] == [(f"/{name}", "required")]


def test_all_mistakes_are_listed_at_once() -> None:
    problem = refused({"to": 5, "txt": "x", "max_segments": 99, "callback_url": "nope", "send_at": "x"})
    assert {mistake.pointer for mistake in problem.errors} == {"/to", "/text", "/txt", "/max_segments", "/callback_url", "/send_at"}


def test_a_good_body_is_read_whole() -> None:
    body = GOOD | {
        "from": "ACME",
        "providers": [],
        "reference": "r",
        "callback_url": "https://example.com:8443/a?b=c",
        "validity_period": 30,
        "send_at": "2030-01-01T00:00:00+02:00",
        "encoding": "auto",
        "max_segments": 10,
        "traffic_type": "otp",
        "on_unknown": "hold",
        "failover_on": ["undelivered"],
        "metadata": {"k": "v" * 1023},
        "dry_run": False,
    }
    request = read_message(json.dumps(body).encode())
    assert (request.sender, request.providers, request.metadata) == ("ACME", [], {"k": "v" * 1023})


def test_moments_need_an_offset() -> None:
    assert moment_ms("1970-01-01T01:00:00.5+01:00") == 500
    assert moment_ms("1970-01-01T00:00:00Z") == 0
    assert moment_ms("1970-01-01") is None
