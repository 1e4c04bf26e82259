"""Infobip's own Python SDK takes the simulator for Infobip."""

import asyncio

import pytest
from infobip_api_client import ApiClient, Configuration, SmsApi
from infobip_api_client.exceptions import ApiException
from infobip_api_client.models import (
    SmsDeliveryResult,
    SmsDestination,
    SmsInboundMessageResult,
    SmsMessage,
    SmsMessageContent,
    SmsMessageDeliveryReporting,
    SmsMessageOptions,
    SmsRequest,
    SmsTextContent,
    SmsWebhooks,
    ValidityPeriod,
)

SID, KEY = "infobip-1", "k3y"
TO = "447911123456"


async def call(lab, function, key=KEY):
    with ApiClient(Configuration(host=lab.simulator.url, api_key=key)) as client:
        return await asyncio.to_thread(function, SmsApi(client))


async def send(lab, *, key=KEY, to=TO, message_id=None, text="hello", url=None, validity=None):
    message = SmsMessage(
        sender="ACME",
        destinations=[SmsDestination(to=to, message_id=message_id)],
        content=SmsMessageContent(SmsTextContent(text=text)),
        options=None if validity is None else SmsMessageOptions(validity_period=ValidityPeriod(amount=validity, time_unit="HOURS")),
        webhooks=None if url is None else SmsWebhooks(delivery=SmsMessageDeliveryReporting(url=url)),
    )
    answer = await call(lab, lambda api: api.send_sms_messages(SmsRequest(messages=[message])), key)
    return answer.messages[0]


@pytest.fixture(autouse=True)
async def _account(lab):
    await lab.account("infobip", SID, KEY)


async def test_send(lab):
    sent = await send(lab, message_id="ours", text="x" * 161, validity=2)
    assert (sent.message_id, sent.destination, sent.details.message_count) == ("ours", TO, 2)
    assert (sent.status.id, sent.status.name, sent.status.group_name) == (26, "PENDING_ACCEPTED", "PENDING")
    (entry,) = (await lab.control("ledger"))["entries"]
    assert (entry["sid"], entry["to"], entry["validity"], entry["tracking_id"]) == ("ours", f"+{TO}", 7200, "ours")


async def test_an_id_is_taken_once(lab):
    await send(lab, message_id="ours")
    assert (await send(lab, message_id="ours")).status.name == "REJECTED_DUPLICATE_MESSAGE_ID"
    assert (await lab.control("ledger/summary"))["accepted"] == 1
    first, second = await send(lab), await send(lab)
    assert first.message_id != second.message_id


async def test_logs_are_found_by_id(lab):
    await send(lab, message_id="ours")
    await lab.account("infobip", SID, KEY, behaviour={"rules": [{"action": "refuse", "code": 12}]})
    assert (await send(lab, message_id="poor")).status.group_name == "REJECTED"
    for message_id, name in (("ours", "DELIVERED_TO_HANDSET"), ("poor", "REJECTED_NOT_ENOUGH_CREDITS")):
        (entry,) = (await call(lab, lambda api, wanted=message_id: api.get_outbound_sms_message_logs(message_id=[wanted]))).results
        assert (entry.message_id, entry.sender, entry.destination) == (message_id, "ACME", TO)
        assert entry.status.name == name
    assert (await call(lab, lambda api: api.get_outbound_sms_message_logs(message_id=["never"]))).results == []


async def test_wrong_credentials(lab):
    with pytest.raises(ApiException) as refused:
        await send(lab, key="other")
    assert refused.value.status == 401


@pytest.mark.parametrize(("fields", "status"), [({"to": "12"}, 52), ({"text": ""}, None), ({"url": "http://example.com/"}, None)])
async def test_requests_that_are_not_in_order(lab, fields, status):
    if status is None:
        with pytest.raises(ApiException) as refused:
            await send(lab, **fields)
        assert refused.value.status == 400
    else:
        assert (await send(lab, **fields)).status.id == status
    assert (await lab.control("ledger"))["entries"] == []


async def test_refusals_on_request(lab):
    await lab.account("infobip", SID, KEY, behaviour={"rules": [{"action": "refuse", "http_status": 429}]})
    with pytest.raises(ApiException) as refused:
        await send(lab)
    assert refused.value.status == 429


async def test_reports_are_what_the_vendors_models_read(lab, receiver):
    reports = {"statuses": [{"status": "sent"}, {"status": "undelivered", "error_code": 1}]}
    await lab.account("infobip", SID, KEY, behaviour={"reports": reports})
    await send(lab, message_id="ours", url=receiver.url)
    for name, number in (("PENDING_ENROUTE", 0), ("UNDELIVERABLE_NOT_DELIVERED", 1)):
        (result,) = SmsDeliveryResult.from_json((await receiver.posted()).body.decode()).results
        assert (result.message_id, result.to, result.status.name, result.error.id) == ("ours", TO, name, number)


async def test_people_write_in(lab, receiver):
    assert await lab.write_in(SID, **{"from": "+447911123456", "to": "+15551234567", "text": "Stop", "url": receiver.url}) == 204
    (result,) = SmsInboundMessageResult.from_json((await receiver.posted()).body.decode()).results
    assert (result.var_from, result.to, result.text) == (TO, "15551234567", "Stop")
