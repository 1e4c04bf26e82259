"""Twilio's wire format, by samples from its documentation; its own validator is the oracle for signatures."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from decimal import Decimal
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from twilio.request_validator import RequestValidator

from sms_contract.errors import CATALOGUE
from sms_contract.status import Status
from sms_providers.adapters.twilio import TwilioConfig, TwilioProvider
from sms_providers.errors import Outcome, SendError
from sms_providers.testing import SMS, Answers, ProviderRules, Refusal, Said, Samples
from sms_providers.types import Balance, Callback, HttpAnswer, Inbound, OptOut, Receipt, Verification

TOKEN = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
SID = "AC" + "0" * 32
MESSAGE = "SM" + "1" * 32
URL = "https://sms.example/v1/callbacks/eu/token?m=0192f0c1&a=1&s=5f2c"
FORM = "application/x-www-form-urlencoded"


def answer(status: int, /, **body: object) -> HttpAnswer:
    return HttpAnswer(status=status, body=json.dumps(body).encode(), headers={"content-type": "application/json"})


def error(status: int, code: int, **headers: str) -> HttpAnswer:
    words = {"code": code, "message": f"About {SMS.to}", "more_info": f"https://www.twilio.com/docs/errors/{code}", "status": status}
    return HttpAnswer(status=status, body=json.dumps(words).encode(), headers=headers)


def signature(url: str, fields: dict[str, str], token: str = TOKEN) -> str:
    return RequestValidator(token).compute_signature(url, fields)


def callback(fields: dict[str, str], url: str = URL) -> Callback:
    headers = {"content-type": FORM, "x-twilio-signature": signature(url, fields)}
    return Callback(method="POST", url=url, headers=headers, body=urlencode(fields).encode())


def report(status: str, **more: str) -> Callback:
    return callback({"MessageSid": MESSAGE, "SmsSid": MESSAGE, "MessageStatus": status, "SmsStatus": status, "AccountSid": SID, **more})


CREATED = {"sid": MESSAGE, "status": "queued", "num_segments": "1", "error_code": None, "to": SMS.to}


class TestTwilio(ProviderRules):
    adapter = TwilioProvider
    samples = Samples(
        config={"account_sid": SID, "auth_token": TOKEN},
        method="POST",
        url=f"https://api.twilio.com/2010-04-01/Accounts/{SID}/Messages.json",
        headers={"Content-Type": FORM, "Authorization": "Basic " + base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()},
        body=b"To=%2B447911123456&Body=Your+code+is+4711+%26+more:+%C3%A9%3D%2B%25&ValidityPeriod=3600&From=ACME&StatusCallback="
        b"https://sms.example/v1/callbacks/eu/token?m%3D0192f0c1-7d2a-7000-8000-00000000002a%26a%3D1%26s%3D5f2c",
        accepted={MESSAGE: answer(201, **CREATED), "MM" + "2" * 32: answer(200, **{**CREATED, "sid": "MM" + "2" * 32})},
        without_id=[answer(201, **{**CREATED, "sid": wrong}) for wrong in (None, "", 7, "CA" + "1" * 32)],
        refusals=[
            Refusal(answer=error(400, 21211), outcome=Outcome.REFUSED, code="recipient.invalid_number"),
            Refusal(answer=error(400, 21614), outcome=Outcome.REFUSED, code="recipient.invalid_number"),
            Refusal(answer=error(400, 21610), outcome=Outcome.REFUSED, code="recipient.opted_out", opted_out=True),
            Refusal(answer=error(400, 21617), outcome=Outcome.REFUSED, code="content.blocked"),
            Refusal(answer=error(400, 21606), outcome=Outcome.NOT_FOR_THIS_PROVIDER, code="sender.not_allowed"),
            Refusal(answer=error(400, 21212), outcome=Outcome.NOT_FOR_THIS_PROVIDER, code="sender.not_allowed"),
            Refusal(answer=error(400, 21408), outcome=Outcome.NOT_FOR_THIS_PROVIDER, code="route.none_available"),
            Refusal(answer=error(403, 21612), outcome=Outcome.NOT_FOR_THIS_PROVIDER, code="sender.not_allowed"),
            Refusal(answer=error(400, 21635), outcome=Outcome.REFUSED, code="recipient.invalid_number"),
            Refusal(answer=error(400, 21661), outcome=Outcome.NOT_FOR_THIS_PROVIDER, code="sender.not_allowed"),
            Refusal(answer=error(400, 21704), outcome=Outcome.NOT_FOR_THIS_PROVIDER, code="sender.not_allowed"),
            Refusal(answer=error(400, 21609), outcome=Outcome.MISCONFIGURED, code="provider.misconfigured"),
            Refusal(answer=error(401, 20003), outcome=Outcome.MISCONFIGURED, code="provider.misconfigured"),
            Refusal(answer=error(403, 20005), outcome=Outcome.MISCONFIGURED, code="provider.misconfigured"),
            Refusal(answer=error(400, 21611), outcome=Outcome.UNAVAILABLE, code="provider.throttled"),
            Refusal(answer=error(429, 20429), outcome=Outcome.UNAVAILABLE, code="provider.throttled"),
            Refusal(answer=error(503, 20503), outcome=Outcome.UNAVAILABLE, code="provider.unavailable"),
            Refusal(answer=error(404, 20404), outcome=Outcome.MISCONFIGURED, code="provider.misconfigured"),
        ],
        balance_url=f"https://api.twilio.com/2010-04-01/Accounts/{SID}/Balance.json",
        balances=[
            (answer(200, account_sid=SID, balance="12.3400", currency="USD"), Balance(amount=Decimal("12.34"), currency="USD")),
            (answer(200, account_sid=SID, balance="-0.50", currency="USD"), Balance(amount=Decimal("-0.5"), currency="USD")),
        ],
        no_balance=[answer(200, account_sid=SID, balance=wrong, currency="USD") for wrong in (None, "", "NaN", "Infinity", "1e30", [], True)],
        error=error(400, 29999),
        throttled=error(429, 20429, **{"retry-after": "7"}),
        signed=[
            Said(
                callback=report("delivered", RawDlrDoneDate="2608011530"),
                events=[
                    Receipt(status=Status.DELIVERED, message_id=MESSAGE, provider_status="delivered", occurred_at=1785598200000)
                ],
            ),
            Said(
                callback=report("undelivered", ErrorCode="30003", To="+447911123456", Something="new"),
                events=[
                    Receipt(
                        status=Status.UNDELIVERED,
                        message_id=MESSAGE,
                        code="recipient.unreachable",
                        provider_status="undelivered",
                        provider_code="30003",
                    )
                ],
            ),
            Said(
                callback=callback({"MessageSid": MESSAGE, "From": "+447911123456", "To": "+15551234567", "Body": "Stop é", "NumSegments": "2",
                                   "SmsStatus": "received", "OptOutType": "STOP"}),
                events=[
                    Inbound(message_id=MESSAGE, sender="+447911123456", to="+15551234567", text="Stop é", segments=2, opt_out=OptOut.STOP)
                ],
            ),
        ],
        unmapped=report("teleported"),
    )  # fmt: skip


def provider(**more: object) -> TwilioProvider:
    return TwilioProvider(TwilioConfig.model_validate({"account_sid": SID, "auth_token": TOKEN, **more}))


@pytest.mark.parametrize(
    ("word", "code", "status"),
    [
        ("accepted", None, Status.SENT),
        ("queued", None, Status.SENT),
        ("scheduled", None, Status.SENT),
        ("sending", None, Status.SENT),
        ("sent", None, Status.SENT),
        ("delivered", None, Status.DELIVERED),
        ("undelivered", "30005", Status.UNDELIVERED),
        ("undelivered", "30036", Status.EXPIRED),
        ("failed", "30002", Status.UNDELIVERED),
        ("canceled", None, Status.CANCELED),
        ("Delivered", None, Status.UNKNOWN),
    ],
)
def test_reports_are_mapped(word, code, status):
    (receipt,) = provider().read(report(word, **({} if code is None else {"ErrorCode": code})))
    assert (receipt.status, receipt.provider_status, receipt.provider_code) == (status, word, code)


def test_every_report_code_is_in_the_catalogue():
    assert set(TwilioProvider.report_codes.values()) <= set(CATALOGUE)


def test_an_opt_out_may_come_with_a_report():
    (receipt,) = provider().read(report("failed", ErrorCode="21610"))
    assert receipt.opted_out
    assert receipt.code == "recipient.opted_out"


async def test_a_201_that_has_failed_already_brings_its_report_along():
    accepted = await provider().send(SMS, Answers(answer(201, **{**CREATED, "status": "failed", "error_code": 30002})))
    (receipt,) = accepted.receipts
    assert (receipt.status, receipt.message_id, receipt.provider_code) == (Status.UNDELIVERED, MESSAGE, "30002")
    assert accepted.segments == 1


async def test_without_a_sender_the_messaging_service_sends():
    exchange = Answers(answer(201, **CREATED))
    await provider(messaging_service_sid="MG" + "3" * 32).send(replace(SMS, sender=None, callback_url=None), exchange)
    assert b"MessagingServiceSid=MG" + b"3" * 32 in exchange.requests[0].body
    assert b"From" not in exchange.requests[0].body
    assert b"StatusCallback" not in exchange.requests[0].body


@pytest.mark.parametrize(
    ("sms", "code"),
    [
        (replace(SMS, sender=None), "sender.not_allowed"),
        (replace(SMS, text="x" * 1601), "content.blocked"),
        (replace(SMS, text="lone \ud800"), "content.blocked"),
    ],
)
async def test_what_cannot_be_expressed_is_left_to_another(sms, code):
    exchange = Answers()
    with pytest.raises(SendError) as refused:
        await provider().send(sms, exchange)
    assert (refused.value.outcome, refused.value.code, exchange.requests) == (Outcome.NOT_FOR_THIS_PROVIDER, code, [])


@pytest.mark.parametrize(("validity", "expected"), [(0, b"=1&"), (1, b"=1&"), (36000, b"=36000&"), (259200, b"=36000&")])
def test_validity_is_kept_within_what_twilio_takes(validity, expected):
    assert b"ValidityPeriod" + expected in provider().request_for(replace(SMS, validity=validity)).body


def test_an_api_key_authenticates_and_the_token_still_signs():
    keyed = provider(api_key_sid="SK1", api_key_secret="s3cret")
    assert keyed.request_for(SMS).headers["Authorization"] == "Basic " + base64.b64encode(b"SK1:s3cret").decode()
    assert keyed.verify(report("sent")) is Verification.SIGNED
    assert sorted(keyed.config.secrets()) == sorted([TOKEN, "s3cret"])


@pytest.mark.parametrize("half", [{"api_key_sid": "SK1"}, {"api_key_secret": "s"}, {"account_sid": "../AC"}, {"auth_token": ""}])
def test_half_a_configuration_is_refused(half):
    with pytest.raises(ValidationError):
        provider(**half)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            [
                ("CallSid", "CA1234567890ABCDE"),
                ("Caller", "+14158675309"),
                ("Digits", "1234"),
                ("From", "+14158675309"),
                ("To", "+18005551212"),
            ],
            "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
        ),
        (
            [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")],
            "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
        ),
    ],
)
def test_published_vectors(fields, expected):
    headers = {"content-type": FORM, "x-twilio-signature": expected}
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    given_ = Callback(method="POST", url=url, headers=headers, body=urlencode(fields).encode())
    assert provider(auth_token="12345").verify(given_) is Verification.SIGNED


words = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
ports = st.sampled_from(["", ":443", ":80", ":8443"])


@given(
    fields=st.dictionaries(words.filter(bool), words, max_size=6),
    scheme=st.sampled_from(["http", "https"]),
    called=ports,
    signed=ports,
    token=st.text("0123456789abcdef", min_size=1),
)
def test_it_agrees_with_the_vendors_validator(fields, scheme, called, signed, token):
    url = f"{scheme}://sms.example{called}/v1/callbacks/eu/token?m=1&a=2"
    mark = signature(f"{scheme}://sms.example{signed}/v1/callbacks/eu/token?m=1&a=2", fields, token)
    headers = {"content-type": f"{FORM}; charset=UTF-8", "x-twilio-signature": mark}
    given_ = Callback(method="POST", url=url, headers=headers, body=urlencode(fields).encode())
    oracle = RequestValidator(token).validate(url, fields, mark)
    assert (provider(auth_token=token).verify(given_) is Verification.SIGNED) is oracle


@given(body=st.text(st.characters(blacklist_categories=["Cs"]), min_size=1), right=st.booleans())
def test_a_json_body_is_covered_by_the_hash_in_the_url(body, right):
    url = f"{URL}&bodySHA256={hashlib.sha256(body.encode() if right else b'other').hexdigest()}"
    mark = signature(url, {})
    given_ = Callback(method="POST", url=url, headers={"content-type": "application/json", "x-twilio-signature": mark}, body=body.encode())
    oracle = RequestValidator(TOKEN).validate(url, body, mark)
    assert (provider().verify(given_) is Verification.SIGNED) is oracle
    assert oracle is (right or body == "other")


def test_a_get_is_signed_by_its_url_alone():
    mark = base64.b64encode(hmac.digest(TOKEN.encode(), URL.encode(), "sha1")).decode()
    assert provider().verify(Callback(method="GET", url=URL, headers={"x-twilio-signature": mark})) is Verification.SIGNED
