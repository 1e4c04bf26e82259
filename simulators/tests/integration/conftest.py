"""A simulator on a port of its own, the vendor's own SDK pointed at it, and somebody who receives its reports."""

import asyncio
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import aiohttp
import pytest
from aiohttp import web
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from sms_simulators.server import Simulator

SID = "AC" + "0" * 32
TOKEN = "token-of-zero"


class Redirected(TwilioHttpClient):
    """The SDK's own client, with another host."""

    def __init__(self, url):
        super().__init__(timeout=5)
        self.url = url

    def request(self, method, url, *args, **options):
        return super().request(method, url.replace("https://api.twilio.com", self.url), *args, **options)


@dataclass
class Lab:
    """What a test has in hand."""

    simulator: Simulator
    http: aiohttp.ClientSession

    @property
    def url(self):
        return f"{self.simulator.url}/2010-04-01/Accounts/{SID}/Messages.json"

    async def behave(self, sid=SID, **behaviour):
        settings = {"auth_token": TOKEN, "api_keys": {"SK1": "key-secret"}, "behaviour": behaviour}
        async with self.http.put(f"{self.simulator.url}/control/accounts/{sid}", json=settings) as response:
            assert response.status == 200, await response.text()

    async def account(self, vendor, sid, token=TOKEN, **settings):
        content = {"vendor": vendor, "auth_token": token, **settings}
        async with self.http.put(f"{self.simulator.url}/control/accounts/{sid}", json=content) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def write_in(self, sid, **message):
        """A message from a person."""
        async with self.http.post(f"{self.simulator.url}/control/accounts/{sid}/inbound", json=message) as response:
            assert response.status == 200, await response.text()
            return (await response.json())["status"]

    async def control(self, path, method="GET"):
        async with self.http.request(method, f"{self.simulator.url}/control/{path}") as response:
            return await response.json() if response.status == 200 else response.status

    async def until(self, path, condition):
        """Ask until the answer is as wanted; the test's own time-out bounds it."""
        while not condition(found := await self.control(path)):  # noqa: ASYNC110 - it is another's state
            await asyncio.sleep(0)
        return found

    async def post(self, **fields):
        form = {"To": "+447911123456", "From": "ACME", "Body": "hello", **fields}
        headers = {"Authorization": aiohttp.encode_basic_auth(SID, TOKEN)}
        async with self.http.post(self.url, data=form, headers=headers) as response:
            return response.status, await response.read(), response.headers

    def sdk(self, user=SID, password=TOKEN):
        return Client(user, password, SID, http_client=Redirected(self.simulator.url))


@pytest.fixture
async def lab(tmp_path):
    async with Simulator(ledger=tmp_path / "ledger.jsonl") as simulator, aiohttp.ClientSession() as http:
        it = Lab(simulator, http)
        await it.behave()
        yield it


@dataclass
class Posted:
    """What a vendor posted, as it came."""

    method: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Receives reports, answers as told, and lets a test wait for the next."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    reports: list[tuple[dict[str, str], str | None]] = field(default_factory=list)
    arrived: asyncio.Queue = field(default_factory=asyncio.Queue)
    raw: asyncio.Queue = field(default_factory=asyncio.Queue)

    async def handle(self, request):
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.raw.put_nowait(Posted(request.method, dict(request.query), headers, await request.read()))
        report = (dict(parse_qsl(await request.text(), keep_blank_values=True)), request.headers.get("X-Twilio-Signature"))
        self.reports.append(report)
        self.arrived.put_nowait(report)
        return web.Response(status=self.answers.pop(0) if self.answers else 204)

    async def next(self):
        async with asyncio.timeout(5):
            return await self.arrived.get()

    async def posted(self):
        async with asyncio.timeout(5):
            return await self.raw.get()

    async def words(self, count):
        return [(await self.next())[0]["MessageStatus"] for _ in range(count)]


@pytest.fixture
async def receiver():
    it = Receiver()
    runner = web.ServerRunner(web.Server(it.handle), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    it.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/callbacks/eu/token?m=t-1&a=1&s=abc"
    yield it
    await runner.cleanup()
