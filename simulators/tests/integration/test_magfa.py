"""Magfa, by its manual: there is no SDK of the vendor's in Python."""

import aiohttp
import pytest

BODY = {"senders": ["98300073"], "messages": ["سلام"], "recipients": ["989123456789"], "uids": [17]}


@pytest.fixture(autouse=True)
async def _account(lab):
    await lab.account("magfa", "user_73", "word")


async def call(lab, path, body=None, password="word"):
    headers = {"Authorization": aiohttp.encode_basic_auth("user_73/magfa", password)}
    url = f"{lab.simulator.url}/api/http/sms/v2/{path}"
    async with lab.http.request("GET" if body is None else "POST", url, json=body, headers=headers) as response:
        assert response.status == 200
        return await response.json()


async def test_send_and_ask(lab):
    answer = await call(lab, "send", BODY)
    (message,) = answer["messages"]
    assert (answer["status"], message["status"], message["userId"], message["parts"]) == (0, 0, 17, 1)
    assert (message["alphabet"], message["recipient"]) == ("UCS2", "989123456789")
    assert await call(lab, "mid/17") == {"status": 0, "mid": message["id"]}
    assert await call(lab, "mid/18") == {"status": 0, "mid": -1}
    statuses = await call(lab, f"statuses/{message['id']},5")
    assert [(dlr["mid"], dlr["status"]) for dlr in statuses["dlrs"]] == [(message["id"], 1), (5, -1)]
    assert (await call(lab, "balance"))["balance"] > 0


@pytest.mark.parametrize(
    ("changed", "status"), [({"recipients": ["12"]}, 1), ({"messages": [""]}, 13), ({"messages": ["x" * 153 * 266]}, 30)]
)
async def test_a_message_that_is_refused(lab, changed, status):
    assert await call(lab, "send", {**BODY, **changed}) == {"status": 0, "messages": [{"status": status}]}


async def test_a_request_that_is_refused(lab):
    assert await call(lab, "send", {**BODY, "recipients": []}) == {"status": 106, "messages": []}
    assert await call(lab, "send", {"senders": "x"}) == {"status": 31, "messages": []}
    assert await call(lab, "nothing") == {"status": 25}
    assert await call(lab, "send", BODY, password="other") == {"status": 18, "messages": []}
    assert (await lab.control("ledger"))["entries"] == []
