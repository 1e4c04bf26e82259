"""Adapter, transport and simulator together: what the vendor does, what we call it, and what the vendor's ledger says."""

import asyncio
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web

from sms_contract.status import Status
from sms_providers.errors import Outcome
from sms_providers.registry import build
from sms_providers.sending import Job, send_many
from sms_providers.testing import SMS
from sms_providers.transport import Transport
from sms_providers.types import Callback, Verification
from sms_simulators.fault_proxy import FaultProxy, Mode
from sms_simulators.server import Simulator

PLAIN = replace(SMS, callback_url=None)


@pytest.fixture
async def simulator(tmp_path):
    async with Simulator(ledger=tmp_path / "ledger.jsonl") as it:
        yield it


def account(url, token="t"):
    return build("twilio", {"account_sid": "AC1", "auth_token": token, "base_url": url}, account="eu")


async def behave(simulator, **behaviour):
    async with aiohttp.ClientSession() as http:
        settings = {"auth_token": "t", "behaviour": behaviour}
        async with http.put(f"{simulator.url}/control/accounts/AC1", json=settings) as response:
            assert response.status == 200


async def accepted(simulator):
    async with aiohttp.ClientSession() as http, http.get(f"{simulator.url}/control/ledger/summary") as response:
        return (await response.json())["accepted"]


async def send(url, *, token="t", sms=PLAIN, **limits):
    async with Transport(**limits) as transport:
        (result,) = await send_many([Job(provider=account(url, token), sms=sms)], transport)
        return result


@pytest.mark.parametrize(
    ("rule", "outcome", "there"),
    [
        ({}, Outcome.ACCEPTED, 1),
        ({"action": "refuse", "code": 21211}, Outcome.REFUSED, 0),
        ({"action": "refuse", "code": 21610}, Outcome.REFUSED, 0),
        ({"action": "refuse", "code": 21606}, Outcome.NOT_FOR_THIS_PROVIDER, 0),
        ({"action": "refuse", "http_status": 401}, Outcome.MISCONFIGURED, 0),
        ({"action": "refuse", "http_status": 403}, Outcome.NOT_FOR_THIS_PROVIDER, 0),
        ({"action": "refuse", "http_status": 429, "retry_after": 2}, Outcome.UNAVAILABLE, 0),
        ({"action": "refuse", "http_status": 503}, Outcome.UNAVAILABLE, 0),
        ({"action": "refuse", "http_status": 500}, Outcome.UNKNOWN, 0),
        ({"action": "silence"}, Outcome.UNKNOWN, 0),
        ({"action": "reset"}, Outcome.UNKNOWN, 0),
        ({"action": "accept_then_silence"}, Outcome.UNKNOWN, 1),
        ({"action": "accept_then_reset"}, Outcome.UNKNOWN, 1),
        ({"action": "accept_then_500"}, Outcome.UNKNOWN, 1),
        ({"action": "malformed_2xx"}, Outcome.UNKNOWN, 1),
        ({"action": "no_id_2xx"}, Outcome.UNKNOWN, 1),
    ],
)
async def test_what_the_vendor_does_and_what_we_call_it(simulator, rule, outcome, there):
    await behave(simulator, rules=[rule])
    result = await send(simulator.url, read=0.4)
    assert result.outcome is outcome
    assert await accepted(simulator) == there


async def test_wrong_credentials_stop_the_account(simulator):
    await behave(simulator)
    result = await send(simulator.url, token="old")
    assert (result.outcome, result.error.provider_code, result.error.opens_circuit) == (Outcome.MISCONFIGURED, "20003", True)


@pytest.mark.parametrize(
    ("mode", "amount", "outcomes", "there"),
    [
        (Mode.REFUSE, 0, {Outcome.NOT_SENT}, 0),
        # The reset can be there before connect(2) has returned: then nothing was written, and that is known.
        (Mode.RST, 0, {Outcome.UNKNOWN, Outcome.NOT_SENT}, 0),
        (Mode.BLACKHOLE, 0, {Outcome.UNKNOWN}, 0),
        (Mode.DROP_RESPONSES, 0, {Outcome.UNKNOWN}, 1),
        (Mode.CUT, 0, {Outcome.UNKNOWN}, 1),
        (Mode.CUT, 150, {Outcome.UNKNOWN}, 1),
        (Mode.LATENCY, 0.05, {Outcome.ACCEPTED}, 1),
    ],
)
async def test_what_the_network_does_and_what_we_call_it(simulator, mode, amount, outcomes, there):
    await behave(simulator)
    host, _, port = simulator.url.removeprefix("http://").partition(":")
    async with FaultProxy(upstream=(host, int(port))) as proxy:
        await proxy.set(mode, amount)
        result = await send(f"http://127.0.0.1:{proxy.port}", read=0.4)
        assert result.outcome in outcomes
        assert await accepted(simulator) == there


async def test_many_at_once_are_each_there_once(simulator):
    await behave(simulator, seed=3, rules=[{"action": "refuse", "http_status": 503, "share": 0.3}], latency=[0, 0.02])
    provider = account(simulator.url)
    jobs = [Job(provider=provider, sms=replace(PLAIN, to=f"+44791112{number:04}")) for number in range(200)]
    async with Transport(slots=20) as transport:
        results = await send_many(jobs, transport)
    assert {result.outcome for result in results} == {Outcome.ACCEPTED, Outcome.UNAVAILABLE}
    assert await accepted(simulator) == len({result.accepted.message_id for result in results if result.accepted})


@pytest.mark.parametrize(
    ("reports", "verification"),
    [({}, Verification.SIGNED), ({"forged": 1}, Verification.FORGED), ({"unsigned": True}, Verification.FORGED)],
)
async def test_its_reports_are_verified_and_read(simulator, reports, verification):
    arrived = asyncio.Queue()

    async def receive(request):
        headers = {name.lower(): value for name, value in request.headers.items()}
        arrived.put_nowait(Callback(method=request.method, url=url, headers=headers, body=await request.read()))
        return web.Response(status=204)

    runner = web.ServerRunner(web.Server(receive), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/callbacks/eu/token?m=1&a=1&s=2"
    try:
        await behave(simulator, reports=reports)
        result = await send(simulator.url, sms=replace(SMS, callback_url=url))
        provider = account(simulator.url)
        for status in (Status.SENT, Status.DELIVERED):
            async with asyncio.timeout(5):
                callback = await arrived.get()
            assert provider.verify(callback) is verification
            (receipt,) = provider.read(callback)
            assert (receipt.status, receipt.message_id) == (status, result.accepted.message_id)
    finally:
        await runner.cleanup()
