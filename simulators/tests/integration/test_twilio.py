"""Twilio's own Python SDK takes the simulator for Twilio."""

import asyncio

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator

SID = "AC" + "0" * 32
TOKEN = "token-of-zero"
TO = "+447911123456"


async def create(client, **fields):
    return await asyncio.to_thread(client.messages.create, **{"to": TO, "from_": "ACME", "body": "hello", **fields})


async def refused(call):
    with pytest.raises(TwilioRestException) as error:
        await call
    return error.value.status, error.value.code


async def test_create(lab):
    message = await create(lab.sdk(), body="x" * 161, validity_period=60)
    assert message.sid.startswith("SM")
    assert len(message.sid) == 34
    assert (message.status, message.to, message.from_, message.num_segments, message.error_code) == ("queued", TO, "ACME", "2", None)
    assert (message.account_sid, message.direction, message.api_version) == (SID, "outbound-api", "2010-04-01")
    assert message.date_created.tzinfo is not None
    (entry,) = (await lab.control("ledger"))["entries"]
    assert (entry["sid"], entry["to"], entry["from"], entry["validity"]) == (message.sid, TO, "ACME", 60)


async def test_the_balance(lab):
    balance = await asyncio.to_thread(lab.sdk().balance.fetch)
    assert (balance.account_sid, balance.balance, balance.currency) == (SID, "1000.0000", "USD")


async def test_an_api_key_may_send(lab):
    assert (await create(lab.sdk("SK1", "key-secret"))).status == "queued"


async def test_a_messaging_service_accepts(lab):
    message = await create(lab.sdk(), from_=None, messaging_service_sid="MG" + "1" * 32)
    assert (message.status, message.messaging_service_sid, message.from_) == ("accepted", "MG" + "1" * 32, None)


@pytest.mark.parametrize(("user", "password"), [(SID, "wrong"), ("SK2", "key-secret"), ("AC" + "9" * 32, TOKEN)])
async def test_wrong_credentials(lab, user, password):
    assert await refused(create(lab.sdk(user, password))) == (401, 20003)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"to": "447911123456"}, 21211),
        ({"to": ""}, 21604),
        ({"from_": None}, 21603),
        ({"body": ""}, 21602),
        ({"body": "x" * 1601}, 21617),
        ({"validity_period": 36001}, 21624),
        ({"validity_period": 0}, 21624),
        ({"status_callback": "nowhere"}, 21609),
        ({"status_callback": "http://example.com/"}, 21609),
    ],
)
async def test_requests_that_are_not_in_order(lab, fields, code):
    assert await refused(create(lab.sdk(), **fields)) == (400, code)
    ledger = await lab.control("ledger")
    assert (ledger["entries"], ledger["refusals"][0]["code"]) == ([], code)


async def test_refusals_on_request(lab):
    await lab.behave(rules=[{"action": "refuse", "code": 21610, "to": [TO]}, {"action": "refuse", "http_status": 429, "retry_after": 3}])
    assert await refused(create(lab.sdk())) == (400, 21610)
    assert await refused(create(lab.sdk(), to="+15005550006")) == (429, 20429)


async def test_fetch_list_and_filter(lab):
    client = lab.sdk()
    sent = [await create(client, to=f"+4479111234{number:02}") for number in range(5)]
    fetched = await asyncio.to_thread(client.messages(sent[0].sid).fetch)
    assert (fetched.sid, fetched.body) == (sent[0].sid, "hello")
    listed = await asyncio.to_thread(client.messages.list, page_size=2)
    assert [message.sid for message in listed] == [message.sid for message in reversed(sent)]
    filtered = await asyncio.to_thread(client.messages.list, to=sent[3].to)
    assert [message.sid for message in filtered] == [sent[3].sid]
    assert await refused(asyncio.to_thread(client.messages("SM" + "0" * 32).fetch)) == (404, 20404)


async def test_cancel_redact_delete(lab, receiver):
    await lab.behave(reports={"statuses": [{"status": "delivered", "delay": 30}]})
    client = lab.sdk()
    message = await create(client, status_callback=receiver.url)
    assert (await asyncio.to_thread(client.messages(message.sid).update, status="canceled")).status == "canceled"
    assert await refused(asyncio.to_thread(client.messages(message.sid).update, status="canceled")) == (400, 30409)
    assert (await asyncio.to_thread(client.messages(message.sid).update, body="")).body == ""
    assert await asyncio.to_thread(client.messages(message.sid).delete)
    assert await refused(asyncio.to_thread(client.messages(message.sid).fetch)) == (404, 20404)


async def test_reports_are_signed_as_the_vendors_validator_expects(lab, receiver):
    client = lab.sdk()
    message = await create(client, status_callback=receiver.url)
    for word in ("sent", "delivered"):
        fields, signature = await receiver.next()
        assert (fields["MessageSid"], fields["MessageStatus"], fields["AccountSid"], fields["To"]) == (message.sid, word, SID, TO)
        assert RequestValidator(TOKEN).validate(receiver.url, fields, signature)
    assert (await asyncio.to_thread(client.messages(message.sid).fetch)).status == "delivered"
    (entry,) = (await lab.control("ledger"))["entries"]
    assert (entry["tracking_id"], entry["attempt"], entry["callback_url"]) == ("t-1", "1", receiver.url)
