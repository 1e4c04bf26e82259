"""Telnyx's wire format, by samples from its OpenAPI description; its own SDK (with PyNaCl) is the oracle for signatures."""

import base64
import json
from dataclasses import replace
from decimal import Decimal

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey
from pydantic import ValidationError
from telnyx.lib import webhook_verification

from sms_contract.errors import CATALOGUE
from sms_contract.segments import Encoding
from sms_contract.status import Status
from sms_providers.adapters.telnyx import TelnyxConfig, TelnyxProvider
from sms_providers.errors import Outcome, SendError
from sms_providers.testing import SMS, Answers, ProviderRules, Refusal, Said, Samples, touched_signature
from sms_providers.types import Balance, Callback, HttpAnswer, Inbound, Receipt, Verification

PRIVATE = SigningKey(b"\x07" * 32)
PUBLIC = base64.b64encode(bytes(PRIVATE.verify_key)).decode()
CONFIG = {"api_key": "KEY0123456789", "public_key": PUBLIC}
MESSAGE = "b0c7e8cb-6227-4c74-9f32-c7f80c30934b"
URL = "https://sms.example/v1/callbacks/eu/token?m=0192f0c1&a=1&s=5f2c"
NOW = 1785598200


def message(status: str = "queued", *errors: str, **more: object) -> dict[str, object]:
    return {
        "record_type": "message",
        "direction": "outbound",
        "id": MESSAGE,
        "type": "SMS",
        "messaging_profile_id": "4000eba1-a0c0-4563-9925-b25e842a7cb6",
        "organization_id": "b448f9cc-a842-4784-98e9-03c1a5872950",
        "from": {"phone_number": "+18445550001", "carrier": "TELNYX LLC", "line_type": "VoIP"},
        "to": [{"phone_number": SMS.to, "status": status, "carrier": "T-MOBILE USA, INC.", "line_type": "Wireless"}],
        "text": SMS.text,
        "media": [],
        "tags": [],
        "encoding": "GSM-7",
        "parts": 1,
        "cost": {"amount": "0.0051", "currency": "USD"},
        "received_at": "2026-08-01T15:30:00.000+00:00",
        "sent_at": None,
        "completed_at": None,
        "errors": [{"code": code, "title": "About it"} for code in errors],
        **more,
    }


def answer(status: int, body: object, **headers: str) -> HttpAnswer:
    return HttpAnswer(status=status, body=json.dumps(body).encode(), headers=headers)


def error(status: int, code: str, **headers: str) -> HttpAnswer:
    detail = {"code": code, "title": "No", "detail": f"About {SMS.to}", "source": {"pointer": "/to"}, "meta": {"url": "https://x"}}
    return answer(status, {"errors": [detail]}, **headers)


def callback(event: str, payload: object, *, stamp: int = NOW) -> Callback:
    data = {"event_type": event, "id": "e1", "occurred_at": "2026-08-01T15:30:00.000+00:00", "record_type": "event", "payload": payload}
    body = json.dumps({"data": data, "meta": {"attempt": 1, "delivered_to": URL}}).encode()
    signature = PRIVATE.sign(f"{stamp}|".encode() + body).signature
    headers = {
        "content-type": "application/json",
        "telnyx-timestamp": str(stamp),
        "telnyx-signature-ed25519": base64.b64encode(signature).decode(),
    }
    return Callback(method="POST", url=URL, headers=headers, body=body, received_at=NOW * 1000)


MO = message(
    **{"direction": "inbound", "from": {"phone_number": SMS.to}, "to": [{"phone_number": "+18445550001", "status": "webhook_delivered"}],
       "text": "Stop é", "parts": 2}
)  # fmt: skip


#: https://developers.telnyx.com/api-reference/billing
BALANCE = {
    "record_type": "balance",
    "pending": "10.00",
    "balance": "300.00",
    "credit_limit": "100.00",
    "available_credit": "400.00",
    "currency": "USD",
}


class TestTelnyx(ProviderRules):
    adapter = TelnyxProvider
    samples = Samples(
        config=CONFIG,
        method="POST",
        url="https://api.telnyx.com/v2/messages",
        headers={"Content-Type": "application/json", "Authorization": "Bearer KEY0123456789"},
        body='{"to":"+447911123456","text":"Your code is 4711 & more: é=+%","type":"SMS","encoding":"gsm7","from":"ACME",'
        '"webhook_url":"https://sms.example/v1/callbacks/eu/token?m=0192f0c1-7d2a-7000-8000-00000000002a&a=1&s=5f2c",'
        '"use_profile_webhooks":false}'.encode(),
        accepted={MESSAGE: answer(200, {"data": message()})},
        without_id=[
            answer(200, {"data": {**message(), "id": None}}),
            answer(200, {"data": {**message(), "record_type": "event"}}),
            answer(200, {"data": []}),
        ],
        refusals=[
            Refusal(answer=error(429, "10011"), outcome=Outcome.UNAVAILABLE, code="provider.throttled"),
            Refusal(answer=error(400, "40318"), outcome=Outcome.UNAVAILABLE, code="provider.throttled"),
            Refusal(answer=error(401, "10009"), outcome=Outcome.MISCONFIGURED, code="provider.misconfigured"),
            Refusal(answer=error(403, "20100"), outcome=Outcome.MISCONFIGURED, code="provider.misconfigured"),
            Refusal(answer=error(400, "40305"), outcome=Outcome.NOT_FOR_THIS_PROVIDER, code="sender.not_allowed"),
            Refusal(answer=error(400, "40309"), outcome=Outcome.NOT_FOR_THIS_PROVIDER, code="route.none_available"),
            Refusal(answer=error(400, "40310"), outcome=Outcome.REFUSED, code="recipient.invalid_number"),
            Refusal(answer=error(403, "40300"), outcome=Outcome.REFUSED, code="recipient.opted_out", opted_out=True),
            Refusal(answer=error(400, "40322"), outcome=Outcome.REFUSED, code="content.blocked"),
        ],
        balance_url="https://api.telnyx.com/v2/balance",
        balances=[(answer(200, {"data": BALANCE}), Balance(amount=Decimal("400.00"), currency="USD"))],
        no_balance=[answer(200, {"data": {**BALANCE, "available_credit": None}}), answer(200, BALANCE)],
        error=error(422, "10015"),
        throttled=error(429, "10011", **{"retry-after": "7"}),
        signed=[
            Said(
                callback=callback("message.finalized", message("delivered")),
                events=[Receipt(status=Status.DELIVERED, message_id=MESSAGE, provider_status="delivered", occurred_at=1785598200000)],
            ),
            Said(
                callback=callback("message.finalized", message("delivery_failed", "40003", something="new")),
                events=[
                    Receipt(
                        status=Status.UNDELIVERED,
                        message_id=MESSAGE,
                        code="content.blocked",
                        provider_status="delivery_failed",
                        provider_code="40003",
                        occurred_at=1785598200000,
                    )
                ],
            ),
            Said(
                callback=callback("message.received", MO),
                events=[
                    Inbound(message_id=MESSAGE, sender=SMS.to, to="+18445550001", text="Stop é", segments=2, received_at=1785598200000)
                ],
            ),
            Said(callback=callback("message.invented", message()), events=[]),
        ],
        unmapped=callback("message.finalized", message("teleported")),
    )

    def touched(self, callback):
        """The URL and the media type are not in the signature."""
        later = {**callback.headers, "telnyx-timestamp": str(NOW + 1)}
        return [
            *touched_signature(callback),
            replace(callback, body=callback.body + b" "),
            replace(callback, headers=later),
            replace(callback, headers={**callback.headers, "telnyx-timestamp": "soon"}),
            replace(callback, received_at=(NOW + 301) * 1000),
            replace(callback, received_at=(NOW - 301) * 1000),
        ]


def provider(**more: object) -> TelnyxProvider:
    return TelnyxProvider(TelnyxConfig.model_validate({**CONFIG, **more}))


@pytest.mark.parametrize(
    ("word", "code", "status", "reason"),
    [
        ("queued", None, Status.SENT, None),
        ("sending", None, Status.SENT, None),
        ("sent", None, Status.SENT, None),
        ("delivered", None, Status.DELIVERED, None),
        ("sending_failed", "40013", Status.UNDELIVERED, "sender.not_allowed"),
        ("delivery_failed", "40008", Status.UNDELIVERED, "recipient.unreachable"),
        ("delivery_failed", "40014", Status.EXPIRED, "validity.expired"),
        ("delivery_failed", None, Status.UNDELIVERED, "recipient.unreachable"),
        ("expired", None, Status.EXPIRED, "validity.expired"),
        ("delivery_unconfirmed", None, Status.UNKNOWN, "recipient.unreachable"),
    ],
)
def test_reports_are_mapped(word, code, status, reason):
    (receipt,) = provider().read(callback("message.finalized", message(word, *([] if code is None else [code]))))
    assert (receipt.status, receipt.provider_status, receipt.provider_code, receipt.code) == (status, word, code, reason)
    assert receipt.recognised


def test_every_report_code_is_in_the_catalogue():
    assert set(TelnyxProvider.report_codes.values()) <= set(CATALOGUE)


def test_an_opt_out_may_come_with_a_report():
    (receipt,) = provider().read(callback("message.finalized", message("sending_failed", "40300")))
    assert (receipt.opted_out, receipt.code) == (True, "recipient.opted_out")


async def test_a_message_that_has_failed_already_brings_its_report_along():
    accepted = await provider().send(SMS, Answers(answer(200, {"data": message("sending_failed", "40008")})))
    assert [receipt.status for receipt in accepted.receipts] == [Status.UNDELIVERED]
    assert accepted.segments == 1


def test_without_a_sender_the_messaging_profile_sends():
    request = provider(messaging_profile_id="p-1").request_for(replace(SMS, sender=None, callback_url=None, encoding=Encoding.UCS2))
    expected = {"to": SMS.to, "text": SMS.text, "type": "SMS", "encoding": "ucs2", "messaging_profile_id": "p-1"}
    assert json.loads(request.body) == expected


@pytest.mark.parametrize(
    ("sms", "code"), [(replace(SMS, sender=None), "sender.not_allowed"), (replace(SMS, text="lone \ud800"), "content.blocked")]
)
async def test_what_cannot_be_expressed_is_left_to_another(sms, code):
    exchange = Answers()
    with pytest.raises(SendError) as refused:
        await provider().send(sms, exchange)
    assert (refused.value.outcome, refused.value.code, exchange.requests) == (Outcome.NOT_FOR_THIS_PROVIDER, code, [])


@pytest.mark.parametrize("key", ["", "AAAA", "not base64", base64.b64encode(b"x" * 31).decode()])
def test_a_public_key_that_is_none_is_refused(key):
    with pytest.raises(ValidationError):
        provider(public_key=key)


@given(
    body=st.text(st.characters(blacklist_categories=["Cs"])),
    right=st.booleans(),
    age=st.sampled_from([-301, -300, 0, 300, 301]),
    garbled=st.booleans(),
)
def test_it_agrees_with_the_vendors_validator(body, right, age, garbled):
    raw, stamp = body.encode(), NOW - age
    key = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32 if right else b"\x08" * 32)
    mark = base64.b64encode(key.sign(f"{stamp}|".encode() + raw)).decode()
    headers = {"telnyx-timestamp": str(stamp), "telnyx-signature-ed25519": mark[:-3] if garbled else mark}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(webhook_verification.time, "time", lambda: float(NOW))
        try:
            webhook_verification.verify_webhook_signature(raw, headers, PUBLIC)
            oracle = True
        except webhook_verification.WebhookVerificationError:
            oracle = False
    assert oracle is (right and abs(age) <= 300 and not garbled)
    given_ = Callback(method="POST", url=URL, headers=headers, body=raw, received_at=NOW * 1000)
    assert (provider().verify(given_) is Verification.SIGNED) is oracle
