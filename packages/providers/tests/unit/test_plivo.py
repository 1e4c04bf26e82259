"""Plivo's wire format, by samples from its documentation; its own validator is the oracle for signatures."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from decimal import Decimal
from urllib.parse import urlencode

import plivo
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sms_contract.errors import CATALOGUE
from sms_contract.status import Status
from sms_providers.adapters.plivo import PlivoConfig, PlivoProvider
from sms_providers.errors import Outcome, SendError
from sms_providers.testing import SMS, Answers, ProviderRules, Refusal, Said, Samples, touched_signature
from sms_providers.types import Balance, Callback, HttpAnswer, Inbound, Part, Receipt, Verification

AUTH_ID = "MAMZA0000000000000XX"
TOKEN = "NmQ0ZjQzMDAwMDAwMDAwMDAwMDAwMDAw"
UUID = "db3ce55a-7f1d-11e1-8ea7-1231380bc196"
PARENT = "11111111-7f1d-11e1-8ea7-1231380bc196"
URL = "https://sms.example/v1/callbacks/pl/token?m=0192f0c1&a=1&s=5f2c"
NONCE = "05429567804466091622"


def answer(status, /, headers=(), **body):
    return HttpAnswer(status=status, body=json.dumps({"api_id": "97ceeb52", **body}).encode(), headers=dict(headers))


def sign(url, nonce, token=TOKEN):
    mac = hmac.new(token.encode(), (url.partition("?")[0] + nonce).encode(), hashlib.sha256)
    return base64.b64encode(mac.digest()).decode()


def callback(**fields):
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "x-plivo-signature-v2": sign(URL, NONCE),
        "x-plivo-signature-v2-nonce": NONCE,
    }
    return Callback(method="POST", url=URL, headers=headers, body=urlencode(fields).encode())


class TestPlivo(ProviderRules):
    adapter = PlivoProvider
    samples = Samples(
        config={"auth_id": AUTH_ID, "auth_token": TOKEN},
        method="POST",
        url=f"https://api.plivo.com/v1/Account/{AUTH_ID}/Message/",
        headers={
            "Content-Type": "application/json",
            "Authorization": "Basic " + base64.b64encode(f"{AUTH_ID}:{TOKEN}".encode()).decode(),
        },
        body='{"dst":"447911123456","text":"Your code is 4711 & more: é=+%","src":"ACME","url":"https://sms.example/v1/callbacks/eu/'
        'token?m=0192f0c1-7d2a-7000-8000-00000000002a&a=1&s=5f2c","method":"POST"}'.encode(),
        accepted={UUID: answer(202, message="message(s) queued", message_uuid=[UUID])},
        without_id=[answer(202, message_uuid=wrong) for wrong in ([], None, "x", [None], [UUID, UUID])],
        refusals=[
            Refusal(answer=answer(202, message_uuid=[], invalid_number=["1"]), outcome=Outcome.REFUSED, code="recipient.invalid_number"),
            Refusal(answer=answer(401, error="no"), outcome=Outcome.MISCONFIGURED, code="provider.misconfigured"),
            Refusal(answer=answer(402, error="no credit"), outcome=Outcome.MISCONFIGURED, code="provider.misconfigured"),
            Refusal(answer=answer(403, error="geo"), outcome=Outcome.NOT_FOR_THIS_PROVIDER, code="route.none_available"),
            Refusal(answer=answer(400, error={"error": "src"}), outcome=Outcome.NOT_FOR_THIS_PROVIDER, code="route.none_available"),
        ],
        balance_url=f"https://api.plivo.com/v1/Account/{AUTH_ID}/",
        balances=[
            (
                answer(200, auth_id=AUTH_ID, billing_mode="prepaid", cash_credits="23.79822", name="Han Solo"),
                Balance(amount=Decimal("23.79822"), currency="USD"),
            )
        ],
        no_balance=[answer(200, auth_id=AUTH_ID)],
        error=answer(400, error=f"dst {SMS.to} is not valid"),
        throttled=answer(429, headers={"retry-after": "7"}.items(), error="slow down"),
        signed=[
            Said(
                callback=callback(
                    MessageUUID=UUID, Status="delivered", ErrorCode="000", DeliveryReportTime="2026-08-01 15:30:00+00:00", New="x"
                ),
                events=[Receipt(status=Status.DELIVERED, message_id=UUID, provider_status="delivered", occurred_at=1785598200000)],
            ),
            Said(
                callback=callback(MessageUUID=UUID, ParentMessageUUID=PARENT, PartInfo="2 of 3", status="undelivered", ErrorCode="200"),
                events=[
                    Receipt(
                        status=Status.UNDELIVERED,
                        message_id=PARENT,
                        code="recipient.opted_out",
                        provider_status="undelivered",
                        provider_code="200",
                        part=Part(index=2, total=3),
                        opted_out=True,
                    )
                ],
            ),
            Said(
                callback=callback(MessageUUID=UUID, From="447911123456", To="15551234567", Text="Stop é", Type="sms", Units="1"),
                events=[Inbound(message_id=UUID, sender="+447911123456", to="+15551234567", text="Stop é")],
            ),
        ],
        unmapped=callback(MessageUUID=UUID, Status="teleported"),
    )

    def touched(self, callback: Callback) -> list[Callback]:
        """Neither query nor body are in the signature."""
        return [
            *touched_signature(callback),
            replace(callback, url=callback.url.replace("/pl/", "/px/")),
            replace(callback, headers={**callback.headers, "x-plivo-signature-v2-nonce": "1"}),
        ]


def provider(**more):
    return PlivoProvider(PlivoConfig.model_validate({"auth_id": AUTH_ID, "auth_token": TOKEN, **more}))


def test_the_published_vector():
    headers = {"x-plivo-signature-v2": "ehV3IKhLysWBxC1sy8INm0qGoQYdYsHwuoKjsX7FsXc=", "x-plivo-signature-v2-nonce": "12345"}
    given_ = Callback(method="POST", url="https://answer.url", headers=headers)
    assert provider(auth_token="my_auth_token").verify(given_) is Verification.SIGNED


@given(
    path=st.text("abc/%20-", max_size=12),
    query=st.text("abc=&%", max_size=8),
    nonce=st.text("0123456789", min_size=1),
    signed_nonce=st.text("0123456789", min_size=1, max_size=2),
)
def test_it_agrees_with_the_vendors_validator(path, query, nonce, signed_nonce):
    url = f"https://sms.example:8443/v1/{path}" + (f"?{query}" if query else "")
    signature = sign(url, signed_nonce)
    headers = {"x-plivo-signature-v2": signature, "x-plivo-signature-v2-nonce": nonce}
    oracle = plivo.utils.validate_signature(url, nonce, signature, TOKEN)
    assert (provider().verify(Callback(method="POST", url=url, headers=headers)) is Verification.SIGNED) is oracle


def test_one_of_several_signatures_and_the_main_accounts_count():
    good = sign(URL, NONCE)
    for headers in ({"x-plivo-signature-v2": f"AAAA, {good}"}, {"x-plivo-signature-v2": "AAAA", "x-plivo-signature-ma-v2": good}):
        given_ = Callback(method="POST", url=URL, headers={**headers, "x-plivo-signature-v2-nonce": NONCE})
        assert provider().verify(given_) is Verification.SIGNED


def test_a_signature_without_a_nonce_is_none():
    given_ = Callback(method="POST", url=URL, headers={"x-plivo-signature-v2": sign(URL, "")})
    assert provider().verify(given_) is Verification.FORGED


@pytest.mark.parametrize(
    ("word", "code", "status"), [("sent", "000", Status.SENT), ("failed", "420", Status.EXPIRED), ("rejected", "30", Status.UNDELIVERED)]
)
def test_reports_are_mapped(word, code, status):
    (receipt,) = provider().read(callback(MessageUUID=UUID, Status=word, ErrorCode=code))
    assert receipt.status is status


def test_every_report_code_is_in_the_catalogue():
    assert set(PlivoProvider.report_codes.values()) <= set(CATALOGUE)


async def test_who_sends():
    unnamed, pack = replace(SMS, sender=None, callback_url=None), "a" * 36
    with pytest.raises(SendError) as refused:
        await provider().send(unnamed, Answers())
    assert refused.value.outcome is Outcome.NOT_FOR_THIS_PROVIDER
    assert json.loads(provider(powerpack_uuid=pack).request_for(unnamed).body)["powerpack_uuid"] == pack
    assert json.loads(provider(default_sender="+15551234567").request_for(unnamed).body) == {
        "dst": "447911123456",
        "text": SMS.text,
        "src": "15551234567",
    }
    with pytest.raises(ValidationError):
        provider(powerpack_uuid=pack, default_sender="1555")


async def test_what_is_too_long_is_left_to_another():
    with pytest.raises(SendError) as refused:
        await provider().send(replace(SMS, text="x" * 1601), Answers())
    assert (refused.value.outcome, refused.value.code) == (Outcome.NOT_FOR_THIS_PROVIDER, "content.blocked")
