"""Each way to misbehave, seen from the socket, and what the ledger says of it."""

import asyncio
import json
import sys

import aiohttp
import pytest
from twilio.request_validator import RequestValidator

from sms_simulators.server import Simulator

TOKEN = "token-of-zero"


async def outcomes(lab):
    ledger = await lab.control("ledger")
    return [entry["outcome"] for entry in ledger["entries"]], [entry["outcome"] for entry in ledger["refusals"]]


@pytest.mark.parametrize("action", ["accept_then_reset", "reset"])
async def test_resets(lab, action):
    await lab.behave(rules=[{"action": action}])
    with pytest.raises((aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)):
        await lab.post()
    assert await outcomes(lab) == (([action], []) if action.startswith("accept") else ([], [action]))


@pytest.mark.parametrize("action", ["accept_then_silence", "silence"])
async def test_silences(lab, action):
    await lab.behave(rules=[{"action": action}])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await lab.post()
    assert await outcomes(lab) == (([action], []) if action.startswith("accept") else ([], [action]))


async def test_a_ghost_accept_is_reported_all_the_same(lab, receiver):
    await lab.behave(rules=[{"action": "accept_then_500"}])
    status, body, _ = await lab.post(StatusCallback=receiver.url)
    assert (status, json.loads(body)["code"]) == (500, 20500)
    assert await outcomes(lab) == (["accept_then_500"], [])
    assert await receiver.words(2) == ["sent", "delivered"]


async def test_a_2xx_that_cannot_be_read(lab):
    await lab.behave(rules=[{"action": "malformed_2xx", "first": 1}, {"action": "no_id_2xx"}])
    status, body, _ = await lab.post()
    assert status == 201
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)
    status, body, _ = await lab.post()
    assert (status, json.loads(body)["sid"]) == (201, None)
    assert await outcomes(lab) == (["malformed_2xx", "no_id_2xx"], [])


@pytest.mark.parametrize(("http_status", "code"), [(503, 20503), (500, 20500), (429, 20429), (403, 20403), (599, 20599)])
async def test_refusals_carry_retry_after(lab, http_status, code):
    await lab.behave(rules=[{"action": "refuse", "http_status": http_status, "retry_after": 2, "first": 1}])
    status, body, headers = await lab.post()
    assert (status, json.loads(body)["code"], headers["Retry-After"]) == (http_status, code, "2")
    assert (await lab.post())[0] == 201
    assert await outcomes(lab) == (["accept"], ["refuse"])


async def test_latency_delays_answer_and_reports_but_not_the_ledger(lab, receiver):
    await lab.behave(latency=0.5)
    answer = asyncio.create_task(lab.post(StatusCallback=receiver.url))
    await lab.until("ledger", lambda ledger: ledger["entries"])
    assert not answer.done()
    assert receiver.reports == []
    assert (await answer)[0] == 201
    assert await receiver.words(2) == ["sent", "delivered"]


async def test_reports_may_come_before_the_answer_doubled_and_backwards(lab, receiver):
    await lab.behave(reports={"before_answer": True, "copies": 2, "order": "reversed"})
    await lab.post(StatusCallback=receiver.url)
    assert [fields["MessageStatus"] for fields, _ in receiver.reports] == ["delivered", "delivered", "sent", "sent"]


async def test_a_report_before_the_answer_is_posted_again_where_it_was_not_taken(lab, receiver):
    receiver.answers += [503]
    await lab.behave(reports={"before_answer": True})
    await lab.post(StatusCallback=receiver.url)
    assert [fields["MessageStatus"] for fields, _ in receiver.reports] == ["sent", "sent", "delivered"]


async def test_reports_may_be_forged_or_unsigned(lab, receiver):
    await lab.behave(reports={"statuses": [{"status": "failed", "error_code": 30005}], "forged": 1})
    await lab.post(StatusCallback=receiver.url)
    fields, signature = await receiver.next()
    assert (fields["MessageStatus"], fields["ErrorCode"]) == ("failed", "30005")
    assert not RequestValidator(TOKEN).validate(receiver.url, fields, signature)
    await lab.behave(reports={"unsigned": True})
    await lab.post(StatusCallback=receiver.url)
    assert (await receiver.next())[1] is None


async def test_reports_are_tried_again_while_the_receiver_cannot_take_them(lab, receiver):
    receiver.answers = [503, 204, 404]
    await lab.post(StatusCallback=receiver.url)
    assert await receiver.words(3) == ["sent", "sent", "delivered"]
    counts = await lab.until("reports", lambda counts: not counts["pending"])
    assert counts == {"posted": 1, "failed": 1, "pending": 0}


async def test_the_summary_counts_what_came_twice(lab, receiver):
    for _ in range(2):
        await lab.post(StatusCallback=receiver.url)
    await lab.post(Body="other")
    summary = await lab.control("ledger/summary")
    assert (summary["accepted"], summary["distinct"], summary["duplicates"]) == (3, 2, {"t-1": 2})
    assert (await lab.control("ledger?account=AC9"))["entries"] == []
    assert await lab.control("ledger", "DELETE") == 204
    assert (await lab.control("ledger/summary"))["accepted"] == 0


async def test_accounts_are_seen_and_wrong_behaviour_is_refused(lab):
    await lab.behave("AC9", latency=1)
    seen = await lab.control("accounts/AC9")
    assert (seen["account_sid"], seen["behaviour"]) == ("AC9", {"latency": 1.0})
    assert await lab.control("accounts/AC8") == 404
    assert await lab.control("nowhere") == 404
    async with lab.http.put(f"{lab.simulator.url}/control/accounts/AC9", json={"auth_token": "t", "behaviour": {"x": 1}}) as response:
        assert response.status == 400
        assert "`$.behaviour`" in (await response.json())["error"]


async def test_an_open_vendor_signs_with_whatever_token_was_used(tmp_path, receiver):
    async with Simulator(ledger=tmp_path / "l", open_=True) as simulator, aiohttp.ClientSession() as http:
        headers = {"Authorization": aiohttp.encode_basic_auth("AC5", "mine")}
        form = {"To": "+447911123456", "From": "A", "Body": "b", "StatusCallback": receiver.url}
        async with http.post(f"{simulator.url}/2010-04-01/Accounts/AC5/Messages.json", data=form, headers=headers) as response:
            assert response.status == 201
        fields, signature = await receiver.next()
        assert RequestValidator("mine").validate(receiver.url, fields, signature)


async def test_the_command_serves_until_it_is_told_to_stop(tmp_path):
    command = [sys.executable, "-m", "sms_simulators", "--port", "0", "--ledger", str(tmp_path / "l"), "--open", "--fsync"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    url = (await process.stdout.readline()).decode().removeprefix("listening on ").strip()
    async with aiohttp.ClientSession() as http, http.get(f"{url}/healthz") as response:
        assert response.status == 200
    process.terminate()
    assert await process.wait() == 0


async def test_the_command_stays_on_this_machine_unless_told_otherwise(tmp_path):
    command = [sys.executable, "-m", "sms_simulators", "--host", "0.0.0.0", "--port", "0", "--ledger", str(tmp_path / "l")]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    assert b"--allow-remote" in (await process.communicate())[1]
    assert process.returncode == 2
