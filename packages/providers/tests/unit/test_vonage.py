"""Vonage's SMS wire format, by samples from its OpenAPI description; its own SDK is the oracle for signatures."""

import base64
import hashlib
import json
from dataclasses import replace
from decimal import Decimal
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vonage_http_client.auth import Auth

from sms_contract.errors import CATALOGUE
from sms_contract.segments import Encoding
from sms_contract.status import Status
from sms_providers.adapters.vonage import VonageConfig, VonageProvider
from sms_providers.errors import Outcome, SendError
from sms_providers.testing import SMS, Answers, ProviderRules, Refusal, Said, Samples
from sms_providers.types import Balance, Callback, HttpAnswer, Inbound, Part, Receipt, Verification

KEY, SECRET, SIGNATURE = "abcd1234", "s3cr3tOfVonage", "signature-secret"
URL = "https://sms.example/v1/callbacks/eu/token"
NOW = 1785598200
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
CONFIG = {"account_key": KEY, "api_secret": SECRET, "signature_secret": SIGNATURE}


def answer(*parts: dict[str, str], status: int = 200, **headers: str) -> HttpAnswer:
    body = {"message-count": str(len(parts)), "messages": list(parts)}
    return HttpAnswer(status=status, body=json.dumps(body).encode(), headers=headers)


def taken(number: int = 1) -> dict[str, str]:
    return {
        "to": "447700900000",
        "message-id": f"0A0000000123ABCD{number}",
        "status": "0",
        "remaining-balance": "3.14159265",
        "message-price": "0.03330000",
        "network": "12345",
        "client-ref": SMS.reference,
    }


def no(status: str, text: str = f"About {SMS.to}") -> dict[str, str]:
    return {"status": status, "error-text": text}


def signed(fields: dict[str, str], secret: str = SIGNATURE, method: str = "md5hash", stamp: int = NOW) -> dict[str, str]:
    fields = {**fields, "timestamp": str(stamp)}
    if method != "md5hash":
        return {**fields, "sig": Auth(api_key="k", signature_secret=secret, signature_method=method).sign_params(dict(fields))}
    content = "".join(f"&{k}={fields[k].replace('&', '_').replace('=', '_')}" for k in sorted(fields))
    return {**fields, "sig": hashlib.md5((content + secret).encode()).hexdigest()}


def form(fields: dict[str, str]) -> Callback:
    return Callback(method="POST", url=URL, headers={"content-type": FORM}, body=urlencode(fields).encode(), received_at=NOW * 1000)


def posted(fields: dict[str, str]) -> Callback:
    return Callback(method="POST", url=URL, headers={"content-type": JSON}, body=json.dumps(fields).encode(), received_at=NOW * 1000)


def got(fields: dict[str, str]) -> Callback:
    return Callback(method="GET", url=f"{URL}?{urlencode(fields)}", received_at=NOW * 1000)


def dlr(status: str = "delivered", code: str = "0") -> dict[str, str]:
    return {
        "msisdn": "447700900000",
        "to": "AcmeInc",
        "network-code": "12345",
        "messageId": "0A0000001234567B",
        "price": "0.03330000",
        "status": status,
        "scts": "2001011400",
        "err-code": code,
        "api-key": KEY,
        "client-ref": "my-personal-reference",
        "message-timestamp": "2026-08-01 15:30:00",
    }


DELIVERED = Receipt(
    status=Status.DELIVERED,
    message_id="0A0000001234567B",
    reference="my-personal-reference",
    provider_status="delivered",
    provider_code="0",
    occurred_at=1785598200000,
)
MO = {
    "api-key": KEY,
    "msisdn": "447700900001",
    "to": "447700900000",
    "messageId": "0A0000000123ABCD9",
    "text": "Stop & é",
    "type": "text",
    "keyword": "STOP",
    "message-timestamp": "2026-08-01 15:30:00",
}


class TestVonage(ProviderRules):
    adapter = VonageProvider
    samples = Samples(
        config=CONFIG,
        method="POST",
        url="https://rest.nexmo.com/sms/json",
        headers={"Content-Type": FORM, "Authorization": "Basic " + base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()},
        body=b"from=ACME&to=447911123456&text=Your+code+is+4711+%26+more:+%C3%A9%3D%2B%25&type=text&ttl=3600000"
        b"&client-ref=0192f0c1-7d2a-7000-8000-00000000002a&status-report-req=1",
        accepted={"0A0000000123ABCD1": answer(taken()), "0A0000000123ABCD2": answer(taken(2), taken(3))},
        without_id=[answer({"status": "0"}), answer({"status": "0", "message-id": ""}), answer(taken(), {"status": "0"}), answer()],
        refusals=[
            Refusal(answer=answer(no("1", "Throttled")), outcome=Outcome.UNAVAILABLE, code="provider.throttled"),
            Refusal(answer=answer(no("10")), outcome=Outcome.UNAVAILABLE, code="provider.throttled"),
            Refusal(answer=answer(no("2", "Missing to param")), outcome=Outcome.REFUSED, code="content.blocked"),
            Refusal(answer=answer(no("3")), outcome=Outcome.REFUSED, code="content.blocked"),
            Refusal(answer=answer(no("4", "Bad Credentials")), outcome=Outcome.MISCONFIGURED, code="provider.misconfigured"),
            Refusal(answer=answer(no("5")), outcome=Outcome.UNKNOWN, code="provider.unknown_outcome"),
            Refusal(answer=answer(no("6")), outcome=Outcome.NOT_FOR_THIS_PROVIDER, code="route.none_available"),
            Refusal(answer=answer(no("7")), outcome=Outcome.REFUSED, code="recipient.blocked"),
            Refusal(answer=answer(no("9", "Partner quota exceeded")), outcome=Outcome.MISCONFIGURED, code="provider.misconfigured"),
            Refusal(answer=answer(no("12")), outcome=Outcome.REFUSED, code="content.blocked"),
            Refusal(answer=answer(no("15")), outcome=Outcome.NOT_FOR_THIS_PROVIDER, code="sender.not_allowed"),
            Refusal(answer=answer(no("29")), outcome=Outcome.NOT_FOR_THIS_PROVIDER, code="route.none_available"),
            Refusal(answer=answer(no("33")), outcome=Outcome.REFUSED, code="recipient.invalid_number"),
            Refusal(answer=answer(no("99")), outcome=Outcome.UNKNOWN, code="provider.unknown_outcome"),
            Refusal(answer=answer(no("7"), no("5")), outcome=Outcome.UNKNOWN, code="provider.unknown_outcome"),
        ],
        balance_url="https://rest.nexmo.com/account/get-balance",
        balances=[(HttpAnswer(status=200, body=b'{"value":10.28,"autoReload":false}'), Balance(amount=Decimal("10.28"), currency="EUR"))],
        no_balance=[HttpAnswer(status=200, body=b'{"autoReload":false}')],
        error=HttpAnswer(status=422, body=b'{"type":"https://developer.vonage.com/api-errors#x","title":"Invalid","detail":"no"}'),
        throttled=answer(no("1"), status=429, **{"retry-after": "7"}),
        signed=[
            Said(callback=form(signed(dlr())), events=[DELIVERED]),
            Said(callback=posted(signed(dlr())), events=[DELIVERED]),
            Said(callback=got(signed(dlr())), events=[DELIVERED]),
            Said(
                callback=posted(signed({**MO, "concat": "true", "concat-ref": "07", "concat-total": "3", "concat-part": "2"})),
                events=[
                    Inbound(message_id="0A0000000123ABCD9", sender="+447700900001", to="+447700900000", text="Stop & é",
                            received_at=1785598200000, part=Part(index=2, total=3), part_reference="07")
                ],
            ),
        ],
        unmapped=posted(signed(dlr("teleported"))),
    )  # fmt: skip

    def touched(self, callback):
        """The signature covers the fields, wherever they stand, and nothing else."""
        signature = (callback.query if callback.method == "GET" else callback.form or callback.json_object())["sig"]
        other = signature[:-1] + ("0" if signature[-1] != "0" else "1")

        def changed(old: str, new: str) -> Callback:
            return replace(callback, url=callback.url.replace(old, new), body=callback.body.replace(old.encode(), new.encode()))

        return [
            changed(signature, other),
            changed(signature, ""),
            changed("sig", "gis"),
            changed("2026-08-01", "2026-08-02"),
            changed(str(NOW), str(NOW + 1)),
            replace(callback, received_at=(NOW + 2 * 86400) * 1000),
            replace(callback, received_at=(NOW - 3600) * 1000),
            replace(callback, headers={**callback.headers, "content-type": "text/plain"}) if callback.form else changed(KEY, "other"),
        ]


def provider(**more: object) -> VonageProvider:
    return VonageProvider(VonageConfig.model_validate({**CONFIG, **more}))


@pytest.mark.parametrize(
    ("word", "code", "status", "reason"),
    [
        ("accepted", "0", Status.SENT, None),
        ("buffered", "0", Status.SENT, None),
        ("delivered", "0", Status.DELIVERED, None),
        ("expired", "1", Status.EXPIRED, "validity.expired"),
        ("failed", "2", Status.UNDELIVERED, "recipient.unreachable"),
        ("failed", "4", Status.UNDELIVERED, "recipient.blocked"),
        ("rejected", "6", Status.UNDELIVERED, "content.blocked"),
        ("rejected", "9", Status.UNDELIVERED, "recipient.opted_out"),
        ("failed", "12", Status.UNDELIVERED, "recipient.unreachable"),
        ("rejected", "16", Status.UNDELIVERED, "provider.throttled"),
        ("rejected", "51", Status.UNDELIVERED, "sender.not_allowed"),
        ("unknown", "99", Status.UNKNOWN, "recipient.unreachable"),
        ("Delivered", "0", Status.UNKNOWN, "recipient.unreachable"),
    ],
)
def test_reports_are_mapped(word, code, status, reason):
    (receipt,) = provider().read(form(dlr(word, code)))
    assert (receipt.status, receipt.provider_status, receipt.provider_code, receipt.code) == (status, word, code, reason)
    assert receipt.opted_out is (reason == "recipient.opted_out")


def test_what_arrived_is_no_opt_out_whatever_its_code() -> None:
    (receipt,) = provider().read(form(dlr("delivered", "9")))
    assert (receipt.status, receipt.opted_out) == (Status.DELIVERED, False)


def test_every_report_code_is_in_the_catalogue():
    assert set(VonageProvider.report_codes.values()) <= set(CATALOGUE)


async def test_each_part_has_an_id_and_a_part_that_is_missing_a_report():
    accepted = await provider().send(SMS, Answers(answer(taken(1), no("6"), taken(3))))
    assert (accepted.message_id, accepted.segments) == ("0A0000000123ABCD1", 3)
    assert accepted.part_ids == ("0A0000000123ABCD1", "0A0000000123ABCD3")
    (receipt,) = accepted.receipts
    assert (receipt.status, receipt.part, receipt.provider_code) == (Status.UNDELIVERED, Part(index=2, total=3), "6")


@pytest.mark.parametrize(
    ("sms", "code"), [(replace(SMS, sender=None), "sender.not_allowed"), (replace(SMS, text="lone \ud800"), "content.blocked")]
)
async def test_what_cannot_be_expressed_is_left_to_another(sms, code):
    exchange = Answers()
    with pytest.raises(SendError) as refused:
        await provider().send(sms, exchange)
    assert (refused.value.outcome, refused.value.code, exchange.requests) == (Outcome.NOT_FOR_THIS_PROVIDER, code, [])


@pytest.mark.parametrize(("validity", "ttl"), [(1, b"=20000&"), (20, b"=20000&"), (604800, b"=604800000&"), (9999999, b"=604800000&")])
def test_validity_is_kept_within_what_vonage_takes(validity, ttl):
    assert b"&ttl" + ttl in provider().request_for(replace(SMS, validity=validity)).body


def test_numbers_go_without_a_plus_and_the_alphabet_is_named():
    body = provider().request_for(replace(SMS, sender="+15551234567", encoding=Encoding.UCS2)).body
    assert b"from=15551234567&to=447911123456&" in body
    assert b"&type=unicode&" in body


words = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)


@given(
    fields=st.dictionaries(words.filter(lambda name: name not in {"", "sig", "timestamp"}), words, max_size=6),
    method=st.sampled_from(["md5", "sha1", "sha256", "sha512"]),
    right=st.booleans(),
)
def test_it_agrees_with_the_vendors_validator(fields, method, right):
    params = signed(fields, SIGNATURE if right else "other", method)
    oracle = Auth(api_key="k", signature_secret=SIGNATURE, signature_method=method).check_signature(dict(params))
    assert oracle is right
    for callback in (form(params), posted(params)):
        assert (provider(signature_method=method).verify(callback) is Verification.SIGNED) is oracle
