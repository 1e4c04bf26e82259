"""Kannel's `sendsms`, by the answers of smsbox 1.4.5."""

from dataclasses import replace
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest

from sms_contract.segments import Encoding
from sms_contract.status import Status
from sms_providers.adapters.kannel import KannelConfig, KannelProvider
from sms_providers.errors import Outcome
from sms_providers.testing import SMS, ProviderRules, Refusal, Said, Samples
from sms_providers.types import Callback, HttpAnswer, Inbound, Receipt

URL = "https://sms.example/v1/callbacks/kn/token"
CONFIG = {"username": "me", "password": "s3cret-word", "base_url": "http://127.0.0.1:13013"}


def answer(status, words, **headers):
    return HttpAnswer(status=status, body=words.encode(), headers=headers)


def callback(**fields):
    return Callback(method="GET", url=f"{URL}?m=0192f0c1&a=1&s=5f2c&{urlencode(fields)}")


class TestKannel(ProviderRules):
    adapter = KannelProvider
    samples = Samples(
        config=CONFIG,
        method="GET",
        url="http://127.0.0.1:13013/cgi-bin/sendsms?username=me&password=s3cret-word&to=%2B447911123456&validity=60&coding=0"
        "&charset=UTF-8&text=Your%20code%20is%204711%20%26%20more%3A%20%C3%A9%3D%2B%25&from=ACME&dlr-mask=31"
        "&dlr-url=https%3A%2F%2Fsms.example%2Fv1%2Fcallbacks%2Feu%2Ftoken%3Fm%3D0192f0c1-7d2a-7000-8000-00000000002a%26a%3D1%26s%3D5f2c"
        "%26dlr%3D%25d%26answer%3D%25A",
        body=b"",
        accepted={SMS.reference: answer(202, "0: Accepted for delivery")},
        without_id=[answer(202, "4: Something else"), answer(202, "0: Accepted for del"), answer(200, "Sending failed.")],
        refusals=[
            Refusal(answer=answer(403, "Authorization failed for sendsms"), outcome=Outcome.MISCONFIGURED, code="provider.misconfigured"),
            Refusal(answer=answer(400, "Missing receiver number, rejected"), outcome=Outcome.REFUSED, code="recipient.invalid_number"),
            Refusal(
                answer=answer(400, "Sender missing and no global set, rejected"),
                outcome=Outcome.NOT_FOR_THIS_PROVIDER,
                code="sender.not_allowed",
            ),
            Refusal(
                answer=answer(400, "Number(s) has/have been denied by white- and/or black-lists."),
                outcome=Outcome.NOT_FOR_THIS_PROVIDER,
                code="recipient.blocked",
            ),
            Refusal(answer=answer(503, "Temporal failure, try again later."), outcome=Outcome.UNAVAILABLE, code="provider.unavailable"),
        ],
        error=answer(400, "Priority field misformed, rejected"),
        throttled=answer(429, "slow down", **{"retry-after": "7"}),
        unsigned=[
            Said(callback=callback(dlr="1", answer=""), events=[Receipt(status=Status.DELIVERED, provider_status="1")]),
            Said(
                callback=callback(dlr="2", answer="id:77 sub:001 dlvrd:001 stat:UNDELIV err:034 text:"),
                events=[Receipt(status=Status.UNDELIVERED, code="recipient.unreachable", provider_status="2", provider_code="034")],
            ),
            Said(callback=callback(dlr="8", answer="ACK/"), events=[Receipt(status=Status.SENT, provider_status="8")]),
            Said(
                callback=callback(id="i-1", to="12345", text="Stop é", **{"from": "+447911123456"}),
                events=[Inbound(message_id="i-1", sender="+447911123456", to="12345", text="Stop é")],
            ),
        ],
        unmapped=callback(dlr="64"),
    )


def query(sms):
    return dict(parse_qsl(urlsplit(KannelProvider(KannelConfig.model_validate({**CONFIG, "smsc": "one"})).request_for(sms).url).query))


def test_it_may_be_queued_too():
    accepted = KannelProvider(KannelConfig.model_validate(CONFIG)).accepted(answer(202, "3: Queued for later delivery"))
    assert accepted is not None
    assert accepted.provider_status == "3"


def test_unicode_is_ready_made():
    url = KannelProvider(KannelConfig.model_validate(CONFIG)).request_for(replace(SMS, text="سلام 😀", encoding=Encoding.UCS2)).url
    fields = parse_qs(urlsplit(url).query, encoding="latin-1")
    assert (fields["coding"], fields["charset"]) == (["2"], ["UTF-16BE"])
    assert fields["text"][0].encode("latin-1").decode("utf-16-be") == "سلام 😀"


def test_what_kannel_would_fill_in_is_left_alone():
    fields = query(replace(SMS, callback_url="https://sms.example/a%20b?m=%d"))
    assert fields["dlr-url"] == "https://sms.example/a%%20b?m=%%d&dlr=%d&answer=%A"
    assert fields["smsc"] == "one"


@pytest.mark.parametrize(("seconds", "minutes"), [(1, "1"), (59, "1"), (120, "2"), (259200, "4320")])
def test_validity_is_in_minutes(seconds, minutes):
    assert query(replace(SMS, validity=seconds))["validity"] == minutes


def test_without_a_sender_and_without_reports():
    fields = query(replace(SMS, sender=None, callback_url=None))
    assert not {"from", "dlr-url", "dlr-mask"} & set(fields)
