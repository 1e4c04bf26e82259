"""Kavenegar's own Python SDK takes the simulator for Kavenegar."""

import asyncio
from unittest.mock import patch

import kavenegar
import pytest
import requests

KEY = "6B4E5A50332F4D56"


@pytest.fixture(autouse=True)
async def _account(lab):
    await lab.account("kavenegar", "kn-1", KEY)


async def call(lab, method, key=KEY, **params):
    post = requests.post

    def redirected(url, **options):
        return post(url.replace("https://api.kavenegar.com", lab.simulator.url), **options)

    with patch("kavenegar.requests.post", redirected):
        return await asyncio.to_thread(getattr(kavenegar.KavenegarAPI(key), method), *([params] if params else []))


async def send(lab, key=KEY, **params):
    return await call(lab, "sms_send", key, **{"receptor": "09123456789", "message": "سلام", "sender": "10004346", **params})


async def test_send_and_ask(lab):
    (entry,) = await send(lab, localid="17")
    assert (entry["status"], entry["receptor"], entry["sender"], entry["message"]) == (1, "09123456789", "10004346", "سلام")
    (status,) = await call(lab, "sms_status", messageid=str(entry["messageid"]))
    assert (status["messageid"], status["status"]) == (entry["messageid"], 10)
    (local,) = await call(lab, "sms_statuslocalmessageid", localid="17")
    assert (local["messageid"], local["localid"], local["status"]) == (entry["messageid"], "17", 10)
    (written,) = (await lab.control("ledger"))["entries"]
    assert (written["sid"], written["to"], written["reference"]) == (str(entry["messageid"]), "+989123456789", "17")


async def test_the_balance(lab):
    info = await call(lab, "account_info")
    assert (info["remaincredit"], info["type"]) == (1000, "Master")


async def test_what_is_not_there(lab):
    for method, field in (("sms_status", "messageid"), ("sms_statuslocalmessageid", "localid")):
        (entry,) = await call(lab, method, **{field: "5"})
        assert entry["status"] == 100


async def test_reports_take_their_time_and_may_be_cancelled(lab):
    await lab.account("kavenegar", "kn-1", KEY, behaviour={"reports": {"statuses": [{"status": "delivered", "delay": 60}]}})
    (entry,) = await send(lab)
    assert [each["status"] for each in await call(lab, "sms_status", messageid=str(entry["messageid"]))] == [1]
    assert [each["status"] for each in await call(lab, "sms_cancel", messageid=str(entry["messageid"]))] == [13]


@pytest.mark.parametrize(
    ("params", "status"),
    [({"receptor": "12"}, 411), ({"message": ""}, 413), ({"message": "س" * 269}, 413), ({"localid": "x"}, 417), ({"key": "other"}, 403)],
)
async def test_requests_that_are_not_in_order(lab, params, status):
    with pytest.raises(kavenegar.APIException) as refused:
        await send(lab, **params)
    assert f"APIException[{status}]".encode() in refused.value.args[0]
    assert (await lab.control("ledger"))["entries"] == []


async def test_the_panels_address_is_told(lab, receiver):
    await lab.account("kavenegar", "kn-1", KEY, reports_url=receiver.url.partition("?")[0])
    (entry,) = await send(lab)
    assert [(await receiver.posted()).query for _ in range(2)] == [
        {"messageid": str(entry["messageid"]), "status": word} for word in ("5", "10")
    ]
    await lab.write_in("kn-1", **{"from": "+989123456789", "to": "10004346", "text": "لغو", "url": receiver.url.partition("?")[0]})
    assert (await receiver.posted()).query["message"] == "لغو"
