"""Sinch's own Python SDK takes the simulator for Sinch, and its validator takes its signatures."""

import asyncio

import pytest
from sinch import SinchClient
from sinch.domains.sms.api.v1.exceptions import SmsException
from sinch.domains.sms.sinch_events.v1.sms_sinch_event import SmsSinchEvent

PLAN, TOKEN, SECRET = "plan-1", "t0ken", "webhook-secret"
TO = "+447911123456"


def sdk(lab, token=TOKEN):
    client = SinchClient(service_plan_id=PLAN, sms_api_token=token, sms_region="us")
    client.configuration.sms_domain_with_service_plan_id = lab.simulator.url
    return client


async def call(lab, function, token=TOKEN):
    client = sdk(lab, token)
    try:
        return await asyncio.to_thread(function, client.sms.batches)
    finally:
        client.configuration.transport.http_session.close()


async def send(lab, token=TOKEN, **fields):
    return await call(lab, lambda batches: batches.send_sms(**{"to": [TO], "from_": "ACME", "body": "hello", **fields}), token)


@pytest.fixture(autouse=True)
async def _account(lab):
    await lab.account("sinch", PLAN, TOKEN, signature_secret=SECRET)


async def test_send_get_and_cancel(lab):
    batch = await send(lab, client_reference="r-1", delivery_report="per_recipient")
    assert (batch.to, batch.from_, batch.body, batch.canceled, batch.client_reference) == ([TO[1:]], "ACME", "hello", False, "r-1")
    assert (await call(lab, lambda batches: batches.get(batch_id=batch.id))).id == batch.id
    assert (await call(lab, lambda batches: batches.cancel(batch_id=batch.id))).canceled
    (entry,) = (await lab.control("ledger"))["entries"]
    assert (entry["sid"], entry["to"], entry["tracking_id"]) == (batch.id, TO, "r-1")


async def test_batches_are_found_by_client_reference(lab):
    for number in range(3):
        await send(lab, client_reference=f"r-{number}")
    found = await call(lab, lambda batches: list(batches.list(client_reference="r-1").iterator()))
    assert [batch.client_reference for batch in found] == ["r-1"]
    assert await call(lab, lambda batches: list(batches.list(client_reference="r-9").iterator())) == []
    assert len(await call(lab, lambda batches: list(batches.list(page_size=2).iterator()))) == 3


async def test_wrong_credentials(lab):
    with pytest.raises(SmsException) as refused:
        await send(lab, "other")
    assert refused.value.http_response.status_code == 401


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"to": ["+12"]}, "syntax_invalid_parameter_format"),
        ({"body": ""}, "syntax_constraint_violation"),
        ({"body": "x" * 2001}, "syntax_constraint_violation"),
        ({"callback_url": "http://example.com/"}, "syntax_invalid_parameter_format"),
    ],
)
async def test_requests_that_are_not_in_order(lab, fields, code):
    with pytest.raises(SmsException) as refused:
        await send(lab, **fields)
    assert (refused.value.http_response.status_code, refused.value.http_response.body["code"]) == (400, code)
    ledger = await lab.control("ledger")
    assert (ledger["entries"], ledger["refusals"][0]["code"]) == ([], code)


@pytest.mark.parametrize(("kind", "words"), [("per_recipient", ["Dispatched", "Delivered"]), ("full", ["Dispatched", "Delivered"])])
async def test_reports_are_signed_as_the_vendors_validator_expects(lab, receiver, kind, words):
    batch = await send(lab, callback_url=receiver.url, delivery_report=kind, client_reference="r-1")
    events = SmsSinchEvent(SECRET)
    for word in words:
        posted = await receiver.posted()
        assert events.validate_authentication_header(posted.headers, posted.body.decode())
        event = events.parse_event(posted.body)
        status = event.statuses[0].status if kind == "full" else event.status
        assert (event.batch_id, event.client_reference, status) == (batch.id, "r-1", word)


async def test_reports_may_be_forged(lab, receiver):
    await lab.account("sinch", PLAN, TOKEN, signature_secret=SECRET, reports_url=receiver.url, behaviour={"reports": {"forged": 1}})
    await send(lab, delivery_report="per_recipient")
    posted = await receiver.posted()
    assert not SmsSinchEvent(SECRET).validate_authentication_header(posted.headers, posted.body.decode())


async def test_people_write_in(lab, receiver):
    assert await lab.write_in(PLAN, **{"from": TO, "to": "12345", "text": "Stop", "url": receiver.url}) == 204
    posted = await receiver.posted()
    event = SmsSinchEvent(SECRET).parse_event(posted.body)
    assert (event.type, event.from_, event.to, event.body) == ("mo_text", TO[1:], "12345", "Stop")
