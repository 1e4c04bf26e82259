"""Each adapter, the transport and its vendor's simulator together; and both loops, because whoever lends one, the transport says the same."""

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import pytest
import uvloop
from aiohttp import web

from sms_contract.status import Status
from sms_providers.errors import Outcome
from sms_providers.references import whole_number
from sms_providers.registry import build
from sms_providers.sending import Job, send_many
from sms_providers.testing import SMS
from sms_providers.transport import Transport
from sms_providers.types import Callback
from sms_simulators.server import Simulator

TOKEN, SECRET = "t0ken", "webhook-secret"


@dataclass(frozen=True)
class Vendor:
    """An account, here and there."""

    slug: str
    sid: str
    config: dict[str, Any]
    refusals: list[tuple[dict[str, Any], Outcome]]  #: the vendor's own codes, and what they come to
    settings: dict[str, Any] = field(default_factory=dict)
    signed: bool = True
    pushes: bool = True  #: reports, and what people write
    statuses: tuple[Status, Status] = (Status.SENT, Status.DELIVERED)


def no(code, http_status=400):
    return {"action": "refuse", "code": code, "http_status": http_status}


VENDORS = [
    Vendor(
        slug="vonage",
        sid="abcd1234",
        config={"account_key": "abcd1234", "api_secret": TOKEN, "signature_secret": SECRET},
        settings={"signature_secret": SECRET},
        refusals=[
            (no(1), Outcome.UNAVAILABLE),
            (no(4), Outcome.MISCONFIGURED),
            (no(5), Outcome.UNKNOWN),
            (no(7), Outcome.REFUSED),
            (no(9), Outcome.MISCONFIGURED),
            (no(15), Outcome.NOT_FOR_THIS_PROVIDER),
        ],
    ),
    Vendor(
        slug="telnyx",
        sid="telnyx-1",
        config={"api_key": TOKEN},
        refusals=[
            (no("40310"), Outcome.REFUSED),
            (no("40300", 403), Outcome.REFUSED),
            (no("40305"), Outcome.NOT_FOR_THIS_PROVIDER),
            (no("20100", 403), Outcome.MISCONFIGURED),
            (no("40318"), Outcome.UNAVAILABLE),
        ],
    ),
    Vendor(
        slug="infobip",
        sid="infobip-1",
        config={"api_key": TOKEN},
        signed=False,
        refusals=[
            (no(52), Outcome.REFUSED),
            (no(12), Outcome.MISCONFIGURED),
            (no(13), Outcome.NOT_FOR_THIS_PROVIDER),
            (no(21), Outcome.UNKNOWN),
            (no("E400"), Outcome.NOT_FOR_THIS_PROVIDER),
        ],
    ),
    Vendor(
        slug="sinch",
        sid="plan-1",
        config={"service_plan_id": "plan-1", "api_token": TOKEN, "webhook_secret": SECRET},
        settings={"signature_secret": SECRET},
        refusals=[
            (no("syntax_constraint_violation"), Outcome.REFUSED),
            (no("blocked_account", 403), Outcome.MISCONFIGURED),
            (no("something_new"), Outcome.NOT_FOR_THIS_PROVIDER),
        ],
    ),
    Vendor(
        slug="plivo",
        sid="MAPLIVO0000000000000",
        config={"auth_id": "MAPLIVO0000000000000", "auth_token": TOKEN},
        refusals=[(no("invalid_number"), Outcome.REFUSED)],
    ),
    Vendor(
        slug="kannel",
        sid="me",
        config={"username": "me", "password": TOKEN},
        signed=False,
        refusals=[
            (no("Authorization failed for sendsms", 403), Outcome.MISCONFIGURED),
            (no("Missing receiver number, rejected"), Outcome.REFUSED),
            (no("Sender missing and no global set, rejected"), Outcome.NOT_FOR_THIS_PROVIDER),
            (no("Priority field misformed, rejected"), Outcome.NOT_FOR_THIS_PROVIDER),
            (no("Temporal failure, try again later.", 503), Outcome.UNAVAILABLE),
        ],
    ),
    Vendor(
        slug="kavenegar",
        sid="kavenegar-1",
        config={"api_key": TOKEN},
        signed=False,
        pushes=False,
        refusals=[
            (no(402), Outcome.UNKNOWN),
            (no(409), Outcome.UNAVAILABLE),
            (no(411), Outcome.REFUSED),
            (no(412), Outcome.NOT_FOR_THIS_PROVIDER),
            (no(418), Outcome.MISCONFIGURED),
        ],
    ),
    Vendor(
        slug="magfa",
        sid="user",
        config={"username": "user", "domain": "magfa", "password": TOKEN, "sender": "98300073"},
        signed=False,
        pushes=False,
        refusals=[
            (no(1), Outcome.REFUSED),
            (no(14), Outcome.MISCONFIGURED),
            (no(15), Outcome.UNAVAILABLE),
            (no(20), Outcome.NOT_FOR_THIS_PROVIDER),
            (no(33), Outcome.REFUSED),
        ],
    ),
]
BY_SLUG = {vendor.slug: vendor for vendor in VENDORS}


def pytest_asyncio_loop_factories():
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@dataclass
class Lab:
    """A vendor's simulator, our account there, and an address that takes what is posted to us."""

    vendor: Vendor
    simulator: Simulator
    http: aiohttp.ClientSession
    url: str
    arrived: asyncio.Queue[Callback]
    public_key: str = ""

    async def behave(self, *, auth_token=TOKEN, balance=1000.0, **behaviour):
        content = {
            "vendor": self.vendor.slug,
            "auth_token": auth_token,
            "balance": balance,
            "behaviour": behaviour,
            **({"reports_url": self.url} if self.vendor.pushes else {}),
            **self.vendor.settings,
        }
        async with self.http.put(f"{self.simulator.url}/control/accounts/{self.vendor.sid}", json=content) as response:
            assert response.status == 200, await response.text()
            self.public_key = (await response.json()).get("public_key", "")

    def provider(self, **more):
        key = {"public_key": self.public_key} if self.vendor.slug == "telnyx" else {}
        return build(self.vendor.slug, {**self.vendor.config, **key, "base_url": self.simulator.url, **more}, account="eu")

    async def send(self, sms=None, **limits):
        async with Transport(**limits) as transport:
            (result,) = await send_many([Job(provider=self.provider(), sms=sms or replace(SMS, callback_url=None))], transport)
            return result

    @property
    def token(self):
        return TOKEN

    def reference(self):
        """Ours, as it is written there."""
        numeric = self.vendor.slug in {"kavenegar", "magfa"}
        return str(whole_number(SMS.reference)) if numeric else SMS.reference

    async def poll(self, message_ids):
        async with Transport() as transport:
            return await self.provider().poll(message_ids, transport.exchange_for("eu"))

    async def look_up(self, reference=SMS.reference):
        async with Transport() as transport:
            return await self.provider().look_up(reference, transport.exchange_for("eu"))

    async def balance(self):
        async with Transport() as transport:
            return await self.provider().balance(transport.exchange_for("eu"))

    async def accepted(self):
        async with self.http.get(f"{self.simulator.url}/control/ledger/summary") as response:
            return (await response.json())["accepted"]

    async def posted(self):
        async with asyncio.timeout(5):
            return await self.arrived.get()


@pytest.fixture(params=[vendor.slug for vendor in VENDORS])
async def lab(request, tmp_path):
    arrived = asyncio.Queue()

    async def receive(incoming):
        headers = {name.lower(): value for name, value in incoming.headers.items()}
        called = f"{base}{incoming.path_qs}"
        body = await incoming.read()
        arrived.put_nowait(Callback(method=incoming.method, url=called, headers=headers, body=body, received_at=int(time.time() * 1000)))
        return web.Response(status=204)

    runner = web.ServerRunner(web.Server(receive), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with Simulator(ledger=tmp_path / "ledger.jsonl") as simulator, aiohttp.ClientSession() as http:
        it = Lab(BY_SLUG[request.param], simulator, http, f"{base}/v1/callbacks/eu/token", arrived)
        await it.behave()
        yield it
    await runner.cleanup()
