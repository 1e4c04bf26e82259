"""Sinch's wire format, by samples from its API reference; its own SDK is the oracle for signatures and callbacks."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sinch.domains.authentication.sinch_events.v1.authentication_validation import calculate_sinch_event_signature, compute_signed_data
from sinch.domains.sms.models.v1.shared import TextRequest
from sinch.domains.sms.sinch_events.v1.sms_sinch_event import SmsSinchEvent

from sms_contract.errors import CATALOGUE
from sms_contract.status import Status
from sms_providers.adapters import sinch
from sms_providers.adapters.sinch import SinchConfig, SinchProvider
from sms_providers.errors import Outcome, SendError
from sms_providers.testing import SMS, Answers, ProviderRules, Refusal, Said, Samples, touched_signature
from sms_providers.types import Callback, HttpAnswer, Inbound, Receipt, Verification

PLAN, TOKEN, SECRET = "plan-1", "t0ken-of-sinch", "webhook-secret"
CONFIG = {"service_plan_id": PLAN, "api_token": TOKEN, "webhook_secret": SECRET}
BATCH = "01FC66621XXXXX119Z8PMV1QPQ"
URL = "https://sms.example/v1/callbacks/eu/token?m=0192f0c1&a=1&s=5f2c"


@pytest.fixture(autouse=True)
def _at_one_moment(monkeypatch):
    monkeypatch.setattr(sinch, "time", SimpleNamespace(time=lambda: 1785598200.9))


def answer(status: int, body: object, **headers: str) -> HttpAnswer:
    return HttpAnswer(status=status, body=json.dumps(body).encode(), headers=headers)


def error(status: int, code: str, **headers: str) -> HttpAnswer:
    return answer(status, {"code": code, "text": f"About {SMS.to}"}, **headers)


def batch(**more: object) -> dict[str, object]:
    return {
        "id": BATCH,
        "to": [SMS.to.removeprefix("+")],
        "from": "ACME",
        "canceled": False,
        "body": SMS.text,
        "type": "mt_text",
        "created_at": "2026-08-01T15:30:00.000Z",
        "modified_at": "2026-08-01T15:30:00.000Z",
        "delivery_report": "per_recipient",
        "expire_at": "2026-08-01T16:30:00.000Z",
        "client_reference": SMS.reference,
        "feedback_enabled": False,
        "flash_message": False,
        **more,
    }


def listing(*batches: object, count: int | None = None) -> HttpAnswer:
    return answer(200, {"count": len(batches) if count is None else count, "page": 0, "page_size": 30, "batches": list(batches)})


def signature(body: str, nonce: str = "n-1", stamp: str = "1785598200", secret: str = SECRET) -> dict[str, str]:
    return {
        "x-sinch-webhook-signature": calculate_sinch_event_signature(compute_signed_data(body, nonce, stamp), secret),
        "x-sinch-webhook-signature-nonce": nonce,
        "x-sinch-webhook-signature-timestamp": stamp,
        "x-sinch-webhook-signature-algorithm": "HmacSHA256",
    }


def callback(content: object) -> Callback:
    body = json.dumps(content)
    return Callback(method="POST", url=URL, headers={"content-type": "application/json", **signature(body)}, body=body.encode())


def report(status: str = "Delivered", code: int = 0) -> dict[str, object]:
    return {
        "type": "recipient_delivery_report_sms",
        "batch_id": BATCH,
        "recipient": "447911123456",
        "code": code,
        "status": status,
        "at": "2026-08-01T15:30:01.000Z",
        "operator_status_at": "2026-08-01T15:30:00.000Z",
        "client_reference": SMS.reference,
        "encoding": "GSM",
        "number_of_message_parts": 1,
    }


SUMMARY = {
    "type": "delivery_report_sms",
    "batch_id": BATCH,
    "client_reference": SMS.reference,
    "total_message_count": 1,
    "statuses": [{"code": 401, "status": "Dispatched", "count": 1, "recipients": ["447911123456"]}],
}
MO = {
    "type": "mo_text",
    "id": "01XXXXX21XXXXX119Z8P1XXXXX",
    "from": "447911123456",
    "to": "12345",
    "body": "Stop é",
    "operator_id": "35000",
    "sent_at": "2026-08-01T15:29:59.000Z",
    "received_at": "2026-08-01T15:30:00.000Z",
}
DELIVERED = Receipt(
    status=Status.DELIVERED,
    message_id=BATCH,
    reference=SMS.reference,
    provider_status="Delivered",
    provider_code="0",
    occurred_at=1785598200000,
)


class TestSinch(ProviderRules):
    adapter = SinchProvider
    samples = Samples(
        config=CONFIG,
        method="POST",
        url="https://us.sms.api.sinch.com/xms/v1/plan-1/batches",
        headers={"Content-Type": "application/json", "Authorization": "Bearer t0ken-of-sinch"},
        body='{"to":["+447911123456"],"type":"mt_text","body":"Your code is 4711 & more: é=+%",'
        '"client_reference":"0192f0c1-7d2a-7000-8000-00000000002a","expire_at":"2026-08-01T16:30:00.000Z","from":"ACME",'
        '"delivery_report":"per_recipient",'
        '"callback_url":"https://sms.example/v1/callbacks/eu/token?m=0192f0c1-7d2a-7000-8000-00000000002a&a=1&s=5f2c"}'.encode(),
        accepted={BATCH: answer(201, batch())},
        without_id=[answer(201, batch(id=wrong)) for wrong in (None, "", [])],
        refusals=[
            Refusal(answer=error(400, "syntax_constraint_violation"), outcome=Outcome.REFUSED, code="content.blocked"),
            Refusal(answer=error(400, "syntax_invalid_parameter_format"), outcome=Outcome.REFUSED, code="content.blocked"),
            Refusal(answer=error(403, "blocked_account"), outcome=Outcome.MISCONFIGURED, code="provider.misconfigured"),
            Refusal(answer=error(403, "missing_callback_url"), outcome=Outcome.MISCONFIGURED, code="provider.misconfigured"),
            Refusal(answer=answer(401, {}), outcome=Outcome.MISCONFIGURED, code="provider.misconfigured"),
            Refusal(answer=answer(402, {}), outcome=Outcome.MISCONFIGURED, code="provider.misconfigured"),
            Refusal(answer=answer(404, {}), outcome=Outcome.MISCONFIGURED, code="provider.misconfigured"),
        ],
        error=error(400, "something_new"),
        throttled=answer(429, {}, **{"retry-after": "7"}),
        signed=[
            Said(callback=callback(report()), events=[DELIVERED]),
            Said(callback=callback(report("DELIVERED")), events=[replace(DELIVERED, provider_status="DELIVERED")]),
            Said(
                callback=callback(SUMMARY),
                events=[
                    Receipt(
                        status=Status.SENT, message_id=BATCH, reference=SMS.reference, provider_status="Dispatched", provider_code="401"
                    )
                ],
            ),
            Said(
                callback=callback(MO),
                events=[
                    Inbound(message_id="01XXXXX21XXXXX119Z8P1XXXXX", sender=SMS.to, to="12345", text="Stop é", received_at=1785598200000)
                ],
            ),
            Said(callback=callback({"type": "mo_binary", "id": "1", "body": "AA=="}), events=[]),
        ],
        found={BATCH: listing(batch())},
        not_found=[listing()],
        unmapped=callback(report("Teleported")),
    )

    def touched(self, callback):
        """The URL and the media type are not in the signature."""
        names = ("x-sinch-webhook-signature-nonce", "x-sinch-webhook-signature-timestamp")
        return [
            *touched_signature(callback),
            replace(callback, body=callback.body + b" "),
            *(replace(callback, headers={**callback.headers, name: "other"}) for name in names),
        ]


def provider(**more: object) -> SinchProvider:
    return SinchProvider(SinchConfig.model_validate({**CONFIG, **more}))


@pytest.mark.parametrize(
    ("word", "code", "status", "reason"),
    [
        ("Queued", 400, Status.SENT, None),
        ("Dispatched", 401, Status.SENT, None),
        ("Delivered", 0, Status.DELIVERED, None),
        ("Failed", 402, Status.UNDELIVERED, "route.none_available"),
        ("Failed", 9999, Status.UNDELIVERED, "recipient.unreachable"),
        ("Rejected", 408, Status.UNDELIVERED, "content.blocked"),
        ("Aborted", 413, Status.UNDELIVERED, "provider.misconfigured"),
        ("Expired", 406, Status.EXPIRED, "validity.expired"),
        ("Expired", 1, Status.EXPIRED, "validity.expired"),
        ("Cancelled", 407, Status.CANCELED, "recipient.unreachable"),
        ("Unknown", 403, Status.UNKNOWN, "recipient.unreachable"),
    ],
)
def test_reports_are_mapped(word, code, status, reason):
    (receipt,) = provider().read(callback(report(word, code)))
    assert (receipt.status, receipt.provider_status, receipt.provider_code, receipt.code) == (status, word, str(code), reason)
    assert receipt.recognised


def test_every_report_code_is_in_the_catalogue():
    assert set(SinchProvider.report_codes.values()) <= set(CATALOGUE)


@pytest.mark.parametrize(
    "given_", [listing(batch(client_reference="another")), listing(count=1), listing(batch(id=None)), answer(200, {"count": 0})]
)
async def test_a_look_up_never_guesses(given_):
    with pytest.raises(SendError) as raised:
        await provider().look_up(SMS.reference, Answers(given_))
    assert raised.value.outcome is Outcome.UNKNOWN


async def test_a_look_up_asks_for_the_reference_and_says_what_has_become_of_it():
    exchange = Answers(listing(batch(canceled=True)))
    accepted = await provider().look_up("a/b c", Answers(listing(batch(client_reference="a/b c"))))
    assert accepted.receipts == ()
    accepted = await provider().look_up(SMS.reference, exchange)
    assert [receipt.status for receipt in accepted.receipts] == [Status.CANCELED]
    assert exchange.requests[0].url == f"https://us.sms.api.sinch.com/xms/v1/plan-1/batches?client_reference={SMS.reference}"
    assert exchange.requests[0].method == "GET"


@pytest.mark.parametrize(
    ("sms", "code"), [(replace(SMS, text="x" * 2001), "content.blocked"), (replace(SMS, text="lone \ud800"), "content.blocked")]
)
async def test_what_cannot_be_expressed_is_left_to_another(sms, code):
    exchange = Answers()
    with pytest.raises(SendError) as refused:
        await provider().send(sms, exchange)
    assert (refused.value.outcome, refused.value.code, exchange.requests) == (Outcome.NOT_FOR_THIS_PROVIDER, code, [])


@pytest.mark.parametrize(("validity", "end"), [(0, "2026-08-01T15:30:01.000Z"), (604800, "2026-08-04T15:30:00.000Z")])
def test_validity_is_kept_within_what_sinch_takes(validity, end):
    body = json.loads(provider().request_for(replace(SMS, validity=validity, sender=None, callback_url=None)).body)
    assert body == {"to": [SMS.to], "type": "mt_text", "body": SMS.text, "client_reference": SMS.reference, "expire_at": end}


def test_without_a_webhook_secret_nothing_is_signed():
    assert provider(webhook_secret=None).verify(callback(report())) is Verification.UNSIGNED


def test_the_vendors_models_read_what_is_sent_as_it_is_meant():
    request = TextRequest.model_validate_json(provider().request_for(SMS).body)
    assert (request.to, request.from_, request.body, request.client_reference) == ([SMS.to], "ACME", SMS.text, SMS.reference)
    assert request.expire_at.timestamp() == 1785598200 + 3600


def test_the_samples_are_what_the_vendors_models_read():
    events = SmsSinchEvent(SECRET)
    assert events.parse_event(json.dumps(report())).batch_id == BATCH
    assert events.parse_event(json.dumps(SUMMARY)).total_message_count == 1
    assert events.parse_event(json.dumps(MO)).body == "Stop é"


words = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)


@given(body=words, nonce=st.text("abc.", max_size=5), stamp=st.text("0123456789.", max_size=10), right=st.booleans())
def test_it_agrees_with_the_vendors_validator(body, nonce, stamp, right):
    headers = signature(body, nonce, stamp, SECRET if right else "other")
    oracle = SmsSinchEvent(SECRET).validate_authentication_header(headers, body)
    assert oracle is right
    given_ = Callback(method="POST", url=URL, headers=headers, body=body.encode())
    assert (provider().verify(given_) is Verification.SIGNED) is oracle
