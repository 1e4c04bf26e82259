"""Telnyx's own Python SDK takes the simulator for Telnyx, and its validator (PyNaCl) takes its signatures."""

import asyncio
import json

import pytest
import telnyx
from telnyx.lib.webhook_verification import WebhookVerificationError, verify_webhook_signature

SID, KEY = "telnyx-1", "KEY0123456789"
TO = "+447911123456"


async def call(lab, function, key=KEY):
    with telnyx.Telnyx(api_key=key, base_url=f"{lab.simulator.url}/v2", max_retries=0) as client:
        return await asyncio.to_thread(function, client)


async def send(lab, key=KEY, **fields):
    return await call(lab, lambda client: client.messages.send(**{"to": TO, "from_": "+18445550001", "text": "hello", **fields}), key)


@pytest.fixture(autouse=True)
async def account(lab):
    return await lab.account("telnyx", SID, KEY)


async def test_send_and_retrieve(lab):
    message = (await send(lab, text="x" * 161, encoding="gsm7")).data
    assert (message.direction, message.record_type, message.parts, message.encoding) == ("outbound", "message", 2, "GSM-7")
    assert [(each.phone_number, each.status) for each in message.to] == [(TO, "queued")]
    found = (await call(lab, lambda client: client.messages.retrieve(message.id))).data
    assert (found.id, found.text) == (message.id, "x" * 161)
    (entry,) = (await lab.control("ledger"))["entries"]
    assert (entry["account"], entry["sid"], entry["to"], entry["from"]) == (SID, message.id, TO, "+18445550001")


async def test_the_balance(lab):
    balance = (await call(lab, lambda client: client.balance.retrieve())).data
    assert (balance.record_type, balance.available_credit, balance.currency) == ("balance", "1000.00", "USD")
    assert float(balance.balance) + float(balance.credit_limit) == float(balance.available_credit)


async def test_wrong_credentials(lab):
    with pytest.raises(telnyx.AuthenticationError) as refused:
        await send(lab, "KEYother")
    assert refused.value.body["errors"][0]["code"] == "10009"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"to": "447911123456"}, "40310"),
        ({"from_": ""}, "40305"),
        ({"text": ""}, "10004"),
        ({"text": "日", "encoding": "gsm7"}, "10015"),
        ({"webhook_url": "http://example.com/"}, "10003"),
    ],
)
async def test_requests_that_are_not_in_order(lab, fields, code):
    with pytest.raises(telnyx.BadRequestError) as refused:
        await send(lab, **fields)
    assert refused.value.body["errors"][0]["code"] == code
    ledger = await lab.control("ledger")
    assert (ledger["entries"], ledger["refusals"][0]["code"]) == ([], code)


async def test_refusals_on_request(lab):
    rules = [{"action": "refuse", "http_status": 403, "code": "40300", "first": 1}, {"action": "refuse", "http_status": 429}]
    await lab.account("telnyx", SID, KEY, behaviour={"rules": rules})
    with pytest.raises(telnyx.PermissionDeniedError):
        await send(lab)
    with pytest.raises(telnyx.RateLimitError):
        await send(lab)


def verdict(posted, public_key):
    try:
        verify_webhook_signature(posted.body, posted.headers, public_key)
    except WebhookVerificationError:
        return False
    return True


async def test_reports_are_signed_as_the_vendors_validator_expects(lab, receiver, account):
    message = (await send(lab, webhook_url=receiver.url)).data
    for event, word in (("message.sent", "sent"), ("message.finalized", "delivered")):
        posted = await receiver.posted()
        data = json.loads(posted.body)["data"]
        assert (data["event_type"], data["payload"]["id"], data["payload"]["to"][0]["status"]) == (event, message.id, word)
        assert verdict(posted, account["public_key"])
    (entry,) = (await lab.control("ledger"))["entries"]
    assert (entry["tracking_id"], entry["attempt"]) == ("t-1", "1")


@pytest.mark.parametrize("reports", [{"forged": 1}, {"unsigned": True}])
async def test_reports_may_be_forged_or_unsigned(lab, receiver, account, reports):
    await lab.account("telnyx", SID, KEY, behaviour={"reports": reports}, reports_url=receiver.url)
    await send(lab)
    assert not verdict(await receiver.posted(), account["public_key"])


async def test_people_write_in(lab, receiver, account):
    message = {"from": TO, "to": "+15551234567", "text": "Stop", "url": receiver.url}
    assert await lab.write_in(SID, **message) == 204
    posted = await receiver.posted()
    payload = json.loads(posted.body)["data"]["payload"]
    assert (payload["direction"], payload["from"]["phone_number"], payload["text"]) == ("inbound", TO, "Stop")
    assert verdict(posted, account["public_key"])
    await lab.write_in(SID, **message, forged=True)
    assert not verdict(await receiver.posted(), account["public_key"])
