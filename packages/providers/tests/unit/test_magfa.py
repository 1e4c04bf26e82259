"""Magfa's wire format, by samples from its manual."""

import base64
import json
from decimal import Decimal

import pytest

from sms_contract.status import Status
from sms_providers.adapters.magfa import MagfaConfig, MagfaProvider
from sms_providers.errors import Outcome, SendError
from sms_providers.references import whole_number
from sms_providers.testing import SMS, Answers, ProviderRules, Refusal, Samples
from sms_providers.types import Balance, HttpAnswer, Receipt

UID = whole_number(SMS.reference)
CONFIG = {"username": "user_73", "domain": "magfa", "password": "s3cret-word", "sender": "98300073"}
TAKEN = {"status": 0, "id": 3406888137, "userId": UID, "parts": 1, "tariff": 119.6, "alphabet": "DEFAULT", "recipient": "447911123456"}


def answer(http=200, headers=(), **body):
    return HttpAnswer(status=http, body=json.dumps(body).encode(), headers=dict(headers))


def refusal(status, outcome, code, *, opted_out=False):
    return Refusal(answer=answer(status=0, messages=[{"status": status}]), outcome=outcome, code=code, opted_out=opted_out)


class TestMagfa(ProviderRules):
    adapter = MagfaProvider
    samples = Samples(
        config=CONFIG,
        method="POST",
        url="https://sms.magfa.com/api/http/sms/v2/send",
        headers={
            "Content-Type": "application/json",
            "Authorization": "Basic " + base64.b64encode(b"user_73/magfa:s3cret-word").decode(),
        },
        body='{"senders":["ACME"],"messages":["Your code is 4711 & more: é=+%"],"recipients":["447911123456"],"uids":['.encode()
        + f"{UID}]}}".encode(),
        accepted={"3406888137": answer(status=0, messages=[TAKEN])},
        without_id=[
            answer(status=0, messages=[]),
            answer(status=0),
            answer(status=0, messages=[{"status": 0}]),
            answer(status=0, messages=[{"id": 1}]),
            answer(status=0, messages=[TAKEN, TAKEN]),
        ],
        refusals=[
            refusal(1, Outcome.REFUSED, "recipient.invalid_number"),
            refusal(33, Outcome.REFUSED, "recipient.opted_out", opted_out=True),
            refusal(13, Outcome.REFUSED, "content.blocked"),
            refusal(30, Outcome.REFUSED, "content.blocked"),
            refusal(27, Outcome.NOT_FOR_THIS_PROVIDER, "recipient.blocked"),
            refusal(20, Outcome.NOT_FOR_THIS_PROVIDER, "sender.not_allowed"),
            refusal(14, Outcome.MISCONFIGURED, "provider.misconfigured"),
            refusal(15, Outcome.UNAVAILABLE, "provider.unavailable"),
            refusal(8, Outcome.UNAVAILABLE, "provider.throttled"),
            refusal(105, Outcome.NOT_FOR_THIS_PROVIDER, "route.none_available"),
            refusal(999, Outcome.UNKNOWN, "provider.unknown_outcome"),
            Refusal(answer=answer(status=19, messages=[]), outcome=Outcome.MISCONFIGURED, code="provider.misconfigured"),
            Refusal(answer=answer(http=401, status=18, messages=[]), outcome=Outcome.MISCONFIGURED, code="provider.misconfigured"),
            Refusal(answer=answer(http=503, status=23, messages=[]), outcome=Outcome.UNAVAILABLE, code="provider.unavailable"),
        ],
        balance_url="https://sms.magfa.com/api/http/sms/v2/balance",
        balances=[(answer(status=0, balance=1000), Balance(amount=Decimal(1000)))],
        no_balance=[answer(status=0), answer(status=18), answer(balance=1000)],
        error=answer(http=400, status=998, messages=[]),
        throttled=answer(http=429, headers={"retry-after": "7"}.items(), status=997),
        found={"3406888137": answer(status=0, mid=3406888137)},
        not_found=[answer(status=0, mid=-1)],
    )

    @property
    def reference(self) -> str:
        return str(UID)


def provider():
    return MagfaProvider(MagfaConfig.model_validate(CONFIG))


async def test_reports_are_asked_for_of_many_at_once():
    dlrs = [{"mid": mid, "status": status, "date": "2026-08-01 15:30:00"} for mid, status in enumerate((-1, 0, 1, 2, 8, 16, 7))]
    exchange = Answers(answer(status=0, dlrs=dlrs))
    receipts = await provider().poll(["0", "1", "2"], exchange)
    assert exchange.requests[0].url == "https://sms.magfa.com/api/http/sms/v2/statuses/0,1,2"
    assert receipts[0] == Receipt(status=Status.DELIVERED, message_id="2", provider_status="1", occurred_at=1785585600000)
    assert [(r.message_id, r.status, r.code, r.recognised) for r in receipts[1:]] == [
        ("3", Status.UNDELIVERED, "recipient.unreachable", True),
        ("4", Status.SENT, None, True),
        ("5", Status.UNDELIVERED, "provider.unavailable", True),
        ("6", Status.UNKNOWN, None, False),
    ]


@pytest.mark.parametrize("unclear", [answer(status=18, dlrs=[]), answer(), HttpAnswer(status=200, body=b"<"), HttpAnswer(status=500)])
async def test_no_answer_is_no_report(unclear):
    with pytest.raises(SendError):
        await provider().poll(["1"], Answers(unclear))


def test_a_reference_is_a_number_of_its_own():
    assert 0 < UID < 2**63
    assert len({whole_number(str(number)) for number in range(1000)}) == 1000
