"""Kavenegar's wire format, by samples from its documentation."""

import json
from dataclasses import replace
from decimal import Decimal
from urllib.parse import parse_qs, urlencode

import pytest

from sms_contract.errors import CATALOGUE
from sms_contract.status import Status
from sms_providers.adapters.kavenegar import KavenegarConfig, KavenegarProvider
from sms_providers.errors import Outcome, SendError
from sms_providers.references import whole_number
from sms_providers.testing import SMS, Answers, ProviderRules, Refusal, Said, Samples
from sms_providers.types import Balance, Callback, HttpAnswer, Inbound, Receipt

KEY = "6B4E5A50332F4D56415A6B"
LOCAL_ID = str(whole_number(SMS.reference))
URL = "https://sms.example/v1/callbacks/kn/token"
ENTRY = {
    "messageid": 8792343,
    "message": "خدمات پیام کوتاه کاوه نگار",
    "status": 1,
    "statustext": "در صف ارسال",
    "sender": "10004346",
    "receptor": "09123456789",
    "date": 1356619709,
    "cost": 120,
}


def answer(status=200, entries=(), http=None, **headers):
    body = {"return": {"status": status, "message": "تایید شد"}, "entries": list(entries)}
    return HttpAnswer(status=http or status, body=json.dumps(body).encode(), headers=headers)


def error(status, http=None, **headers):
    body = {"return": {"status": status, "message": f"about {SMS.to}"}, "entries": None}
    return HttpAnswer(status=http or status, body=json.dumps(body).encode(), headers=headers)


def pushed(**fields):
    return Callback(method="GET", url=f"{URL}?{urlencode(fields)}")


def refusal(status, outcome, code, http=None, *, opted_out=False):
    return Refusal(answer=error(status, http), outcome=outcome, code=code, opted_out=opted_out)


def account(**entries):
    """`entries` is an object here. Source: https://kavenegar.com/rest.html#account-info"""
    body = {"return": {"status": 200, "message": "تایید شد"}, "entries": entries}
    return HttpAnswer(status=200, body=json.dumps(body).encode())


class TestKavenegar(ProviderRules):
    adapter = KavenegarProvider
    samples = Samples(
        config={"api_key": KEY, "default_sender": "10004346"},
        method="POST",
        url=f"https://api.kavenegar.com/v1/{KEY}/sms/send.json",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        body=f"receptor=00447911123456&message=Your+code+is+4711+%26+more:+%C3%A9%3D%2B%25&localid={LOCAL_ID}&sender=ACME".encode(),
        accepted={"8792343": answer(entries=[ENTRY]), "17": answer(entries=[{**ENTRY, "messageid": "17", "status": 6}])},
        without_id=[answer(), answer(entries=[{**ENTRY, "messageid": None}]), answer(entries=["x"]), error(200)],
        refusals=[
            refusal(411, Outcome.REFUSED, "recipient.invalid_number"),
            refusal(411, Outcome.REFUSED, "recipient.invalid_number", http=200),
            refusal(413, Outcome.REFUSED, "content.blocked"),
            refusal(412, Outcome.NOT_FOR_THIS_PROVIDER, "sender.not_allowed"),
            refusal(403, Outcome.MISCONFIGURED, "provider.misconfigured"),
            refusal(418, Outcome.MISCONFIGURED, "provider.misconfigured"),
            refusal(418, Outcome.MISCONFIGURED, "provider.misconfigured", http=200),
            refusal(409, Outcome.UNAVAILABLE, "provider.unavailable"),
            refusal(402, Outcome.UNKNOWN, "provider.unknown_outcome"),
            refusal(501, Outcome.NOT_FOR_THIS_PROVIDER, "route.none_available", http=200),
            refusal(501, Outcome.NOT_FOR_THIS_PROVIDER, "route.none_available"),
            refusal(451, Outcome.UNAVAILABLE, "provider.throttled"),
            refusal(429, Outcome.UNAVAILABLE, "provider.throttled", http=200),
        ],
        balance_url=f"https://api.kavenegar.com/v1/{KEY}/account/info.json",
        balances=[(account(remaincredit=1500000, expiredate=13548889, type="Master"), Balance(amount=Decimal(1500000), currency="IRR"))],
        no_balance=[account(type="Master"), answer(), answer(418, http=200)],
        error=error(499),
        throttled=error(429, **{"retry-after": "7"}),
        unsigned=[
            Said(
                callback=pushed(messageid="8792343", status="10"),
                events=[Receipt(status=Status.DELIVERED, message_id="8792343", provider_status="10")],
            ),
            Said(
                callback=pushed(messageid="8792343", status="14"),
                events=[
                    Receipt(
                        status=Status.UNDELIVERED,
                        message_id="8792343",
                        code="recipient.opted_out",
                        provider_status="14",
                        opted_out=True,
                    )
                ],
            ),
            Said(
                callback=pushed(messageid="5", **{"from": "989123456789", "to": "10004346", "message": "لغو"}),
                events=[Inbound(message_id="5", sender="+989123456789", to="10004346", text="لغو")],
            ),
        ],
        found={"8792343": answer(entries=[{"messageid": 8792343, "localid": LOCAL_ID, "status": 10, "statustext": ""}])},
        not_found=[answer(entries=[{"messageid": 0, "localid": LOCAL_ID, "status": 100, "statustext": "نامعتبر"}]), answer()],
        unmapped=pushed(messageid="1", status="77"),
    )

    @property
    def reference(self) -> str:
        return LOCAL_ID


def provider(**more):
    return KavenegarProvider(KavenegarConfig.model_validate({"api_key": KEY, **more}))


@pytest.mark.parametrize(("to", "receptor"), [("+989123456789", "09123456789"), ("+447911123456", "00447911123456")])
def test_numbers_are_written_as_they_are_dialled(to, receptor):
    assert parse_qs(provider().request_for(replace(SMS, to=to)).body.decode())["receptor"] == [receptor]


def test_without_a_sender_the_accounts_default_sends():
    assert b"sender" not in provider().request_for(replace(SMS, sender=None)).body


async def test_what_is_found_brings_its_report_along():
    found = await provider().look_up("r", Answers(answer(entries=[{**ENTRY, "status": 11}])))
    assert [(receipt.status, receipt.message_id) for receipt in found.receipts] == [(Status.UNDELIVERED, "8792343")]


async def test_reports_are_asked_for_of_many_at_once():
    entries = [{"messageid": number, "status": status} for number, status in ((1, 1), (2, 10), (3, 100), (4, 13), (5, 77))]
    exchange = Answers(answer(entries=entries))
    receipts = await provider().poll(["1", "2", "3", "4", "5"], exchange)
    assert exchange.requests[0].url.endswith("/sms/status.json?messageid=1,2,3,4,5")
    assert [(r.message_id, r.status, r.recognised) for r in receipts] == [
        ("1", Status.SENT, True),
        ("2", Status.DELIVERED, True),
        ("4", Status.CANCELED, True),
        ("5", Status.UNKNOWN, False),
    ]


@pytest.mark.parametrize("unclear", [HttpAnswer(status=200, body=b"{}"), error(418, http=200), HttpAnswer(status=502), error(403)])
async def test_no_answer_is_no_report(unclear):
    with pytest.raises(SendError):
        await provider().poll(["1"], Answers(unclear))


@pytest.mark.parametrize(("status", "taken_back"), [(13, True), (4, False)])
async def test_cancel(status, taken_back):
    assert await provider().cancel("1", Answers(answer(entries=[{"messageid": 1, "status": status}]))) is taken_back


def test_the_key_is_nowhere_but_in_the_url():
    request = provider().request_for(SMS)
    assert KEY not in repr(request)
    assert KEY not in provider().redact(f"no such key {KEY}")


def test_codes_are_in_the_catalogue():
    receipts = [provider().read(pushed(messageid="1", status=word))[0] for word in KavenegarProvider.statuses]
    assert {receipt.code for receipt in receipts} - {None} <= set(CATALOGUE)
