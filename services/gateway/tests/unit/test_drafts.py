"""The checks between reading a request and admission, and their order."""

import json

import pytest

from sms_contract.envelope import SUBMISSION_V1, decode_envelope, decode_submission, encode_entry, encode_envelope
from sms_contract.keyspace import ClientRecord, KeyRecord, ProviderRecord
from sms_gateway.clock import Calendar
from sms_gateway.directory import Principal, Providers, principal
from sms_gateway.drafts import Draft, draft
from sms_gateway.problems import Problem
from sms_gateway.submission import submission_of
from sms_gateway.validation import read_message

NOW = 1_730_616_033_280
SCOPES = ["messages:send"]


def who(mode: str = "live", **client: object) -> Principal:
    key = KeyRecord(hash="0" * 64, client="c1", mode=mode, scopes=SCOPES)
    return principal("k1", key, ClientRecord(id="c1", name="One", **client))


def listed(*records: ProviderRecord) -> Providers:
    records = records or (
        ProviderRecord(slug="alpha", active=True),
        ProviderRecord(slug="beta", active=True, countries=["+1"]),
        ProviderRecord(slug="off", active=False),
        ProviderRecord(slug="test", active=True, test=True),
    )
    return Providers(records, {record.slug: record for record in records})


def make(mode: str = "live", key: str | None = None, known: Providers | None = None, client: dict | None = None, **fields: object) -> Draft:
    body = json.dumps({"to": "+447911123456", "text": "hello"} | fields).encode()
    return draft(
        read_message(body),
        who(mode, **(client or {})),
        listed() if known is None else known,
        body=body,
        idempotency_key=key,
        now_ms=NOW,
    )


def code(**arguments: object) -> str:
    with pytest.raises(Problem) as raised:
        make(**arguments)
    return raised.value.code


@pytest.mark.parametrize(
    ("expected", "arguments"),
    [
        ("recipient.invalid_number", {"to": "447911123456"}),
        ("recipient.invalid_number", {"to": "+4479111234567"}),
        ("recipient.invalid_number", {"to": "+999123456789"}),
        ("recipient.country_blocked", {"client": {"countries": ["US", "+33"]}}),
        ("recipient.country_blocked", {"client": {"denied": ["GB"]}}),
        ("recipient.country_blocked", {"client": {"countries": ["GB"], "denied": ["+447"]}}),
        ("sender.invalid", {"from": "TwelveLetter"}),
        ("sender.invalid", {"from": "ACME", "client": {"senders": ["OTHER"]}}),
        ("provider.unknown", {"providers": ["gamma"]}),
        ("provider.unknown", {"providers": ["test"]}),
        ("provider.unknown", {"providers": ["off", "gamma"]}),
        ("provider.disabled", {"providers": ["off"]}),
        ("content.not_encodable", {"text": "жук", "encoding": "gsm7"}),
        ("content.too_long", {"text": "a" * 161, "max_segments": 1}),
        ("content.too_long", {"text": "a" * 1600}),
        ("request.invalid", {"send_at": "2024-01-01T00:00:00Z"}),
        ("request.invalid", {"send_at": "2026-01-01T00:00:00Z"}),
        ("request.invalid", {"callback_url": "http://example.com"}),
        # Where several are wrong the first of the promised order is said.
        ("recipient.invalid_number", {"to": "+1", "from": "!!!", "providers": ["gamma"]}),
        ("sender.invalid", {"from": "!!!", "providers": ["gamma"]}),
        ("provider.unknown", {"providers": ["gamma"], "text": "жук", "encoding": "gsm7"}),
        ("request.invalid", {"send_at": "2024-01-01T00:00:00Z", "to": "+1"}),
    ],
)
def test_refusals(expected: str, arguments: dict) -> None:
    assert code(**arguments) == expected


def test_a_refusal_that_may_not_have_held_before_waits_for_admission_where_there_is_a_key() -> None:
    for arguments in ({"send_at": "2024-01-01T00:00:00Z"}, {"providers": ["off"]}, {"client": {"countries": ["US"]}}):
        assert make(key="k", **arguments).refusal is not None
        assert make(key="k", **arguments).fingerprint


def test_defaults() -> None:
    made = make(client={"default_sender": "ACME", "on_unknown": "hold"})
    submission = submission_of(made, Calendar().day("UTC", NOW))
    assert (submission.sender, submission.on_unknown, submission.traffic_type) == ("ACME", "hold", "transactional")
    assert (submission.expires_at - NOW, submission.charged_day) == (86_400_000, "20241103")
    assert make(traffic_type="otp").expires_at - NOW == 300_000
    later = make(send_at="2024-11-04T00:00:00Z", validity_period=60)
    assert later.expires_at == later.send_at + 60_000


def test_what_would_be_tried() -> None:
    assert make(dry_run=True).route == ["alpha"]
    assert make(dry_run=True, to="+14165551234").route == ["alpha", "beta"]
    assert make(dry_run=True, providers=["off", "beta", "alpha", "beta"]).route == ["beta", "alpha"]
    assert make("test", dry_run=True, providers=["alpha"]).route == ["test"]
    nobody = make(known=Providers((), {}))
    assert nobody.no_route is not None
    assert nobody.no_route.code == "route.none_available"


def test_the_fingerprint_is_of_what_was_asked_before_defaults() -> None:
    def fingerprint(body: bytes) -> str:
        return draft(read_message(body), who(), listed(), body=body, idempotency_key="k", now_ms=NOW).fingerprint

    one = fingerprint(b'{"to":"+447911123456","text":"x","metadata":{"a":"1","b":"2"}}')
    assert one == fingerprint(b'{ "metadata": {"b":"2","a":"1"}, "text":"\\u0078", "to":"+447911123456" }')
    assert one != fingerprint(b'{"to":"+447911123456","text":"x","metadata":{"a":"1","b":"2"},"encoding":"auto"}')


def test_an_envelope_is_read_by_the_other_side_as_it_was_meant() -> None:
    made = make(key="k", reference="order-17", text="Your code – 1", encoding="transliterate", traffic_type="otp", metadata={"order": "17"})
    submission = submission_of(made, Calendar().day("UTC", NOW))
    envelope = decode_envelope(encode_envelope(SUBMISSION_V1, [encode_entry(submission)]))
    read = decode_submission(envelope.entries[0])
    assert read == submission
    assert (read.wire_text, read.text, read.encoding) == ("Your code - 1", "Your code – 1", "gsm7")
    assert (read.idempotency, read.reserved_at, read.key_id) == (made.idempotency, NOW, "k1")


def test_failover_is_asked_for_or_not() -> None:
    day = Calendar().day("UTC", NOW)
    assert submission_of(make(failover_on=["undelivered"]), day).failover_on == ["undelivered"]
    assert submission_of(make(failover_on=[]), day).failover_on == submission_of(make(), day).failover_on == []


def test_test_mode_is_never_charged() -> None:
    assert submission_of(make("test"), Calendar().day("UTC", NOW)).charged_day is None
