"""Each adapter, the transport and its vendor's simulator together: what the vendor does, what we call it, and what the ledger says."""

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from sms_contract.segments import Encoding
from sms_contract.status import Status
from sms_providers.errors import Outcome
from sms_providers.registry import build
from sms_providers.sending import Job, send_many
from sms_providers.testing import SMS
from sms_providers.transport import Transport
from sms_providers.types import Callback, Inbound, Verification
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
]
BY_SLUG = {vendor.slug: vendor for vendor in VENDORS}
COMMON = [
    ({}, Outcome.ACCEPTED, 1),
    ({"action": "refuse", "http_status": 429, "retry_after": 2}, Outcome.UNAVAILABLE, 0),
    ({"action": "refuse", "http_status": 401}, Outcome.MISCONFIGURED, 0),
    ({"action": "refuse", "http_status": 500}, Outcome.UNKNOWN, 0),
    ({"action": "refuse", "http_status": 503}, Outcome.UNKNOWN, 0),
    ({"action": "silence"}, Outcome.UNKNOWN, 0),
    ({"action": "reset"}, Outcome.UNKNOWN, 0),
    ({"action": "accept_then_silence"}, Outcome.UNKNOWN, 1),
    ({"action": "accept_then_reset"}, Outcome.UNKNOWN, 1),
    ({"action": "accept_then_500"}, Outcome.UNKNOWN, 1),
    ({"action": "malformed_2xx"}, Outcome.UNKNOWN, 1),
    ({"action": "no_id_2xx"}, Outcome.UNKNOWN, 1),
]


@dataclass
class Lab:
    """A vendor's simulator, our account there, and an address that takes what is posted to us."""

    vendor: Vendor
    simulator: Simulator
    http: aiohttp.ClientSession
    url: str
    arrived: asyncio.Queue[Callback]
    public_key: str = ""

    async def behave(self, **behaviour):
        content = {"vendor": self.vendor.slug, "auth_token": TOKEN, "behaviour": behaviour, "reports_url": self.url, **self.vendor.settings}
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

    async def look_up(self, reference=SMS.reference):
        async with Transport() as transport:
            return await self.provider().look_up(reference, transport.exchange_for("eu"))

    async def accepted(self):
        async with self.http.get(f"{self.simulator.url}/control/ledger/summary") as response:
            return (await response.json())["accepted"]

    async def posted(self):
        async with asyncio.timeout(5):
            return await self.arrived.get()


@pytest.fixture(params=VENDORS, ids=lambda vendor: vendor.slug)
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
        it = Lab(request.param, simulator, http, f"{base}/v1/callbacks/eu/token", arrived)
        await it.behave()
        yield it
    await runner.cleanup()


@pytest.mark.parametrize(("rule", "outcome", "there"), COMMON)
async def test_what_the_vendor_does_and_what_we_call_it(lab, rule, outcome, there):
    await lab.behave(rules=[rule])
    result = await lab.send(read=0.4)
    assert result.outcome is outcome
    assert await lab.accepted() == there


async def test_each_documented_refusal_has_its_outcome(lab):
    await lab.behave(rules=[{**rule, "to": [f"+44791112{index:04}"]} for index, (rule, _) in enumerate(lab.vendor.refusals)])
    for index, (rule, outcome) in enumerate(lab.vendor.refusals):
        result = await lab.send(replace(SMS, to=f"+44791112{index:04}", reference=f"r-{index}", callback_url=None))
        assert (result.outcome, result.error.provider_code) == (outcome, str(rule["code"]))
    assert await lab.accepted() == 0


async def test_wrong_credentials_stop_the_account(lab):
    secret = next(name for name, value in lab.vendor.config.items() if value == TOKEN)
    async with Transport() as transport:
        (result,) = await send_many([Job(provider=lab.provider(**{secret: "old"}), sms=replace(SMS, callback_url=None))], transport)
    assert (result.outcome, result.error.opens_circuit) == (Outcome.MISCONFIGURED, True)


async def test_the_ledger_holds_what_was_meant(lab):
    text = "é 日 & more"
    await lab.send(replace(SMS, sender="+15551234567", validity=120, text=text, encoding=Encoding.UCS2, callback_url=None))
    async with lab.http.get(f"{lab.simulator.url}/control/ledger") as response:
        (entry,) = (await response.json())["entries"]
    assert (entry["to"], entry["from"].removeprefix("+"), entry["body"]) == (SMS.to, "15551234567", text)
    if lab.provider().capabilities.validity:
        assert entry["validity"] in {119, 120}
    if lab.provider().capabilities.client_reference:
        assert entry["reference"] == SMS.reference


async def test_a_long_message_is_counted_as_the_vendor_counts(lab):
    result = await lab.send(replace(SMS, text="x" * 161, segments=2, callback_url=None))
    assert result.accepted.segments in {2, None}
    if lab.vendor.slug == "vonage":
        assert len(result.accepted.part_ids) == 2


@pytest.mark.parametrize(
    ("reports", "forged"), [({}, False), ({"forged": 1}, True), ({"unsigned": True}, True)], ids=["signed", "forged", "unsigned"]
)
async def test_its_reports_are_verified_and_read(lab, reports, forged):
    await lab.behave(reports=reports)
    per_message = lab.provider().capabilities.callback_per_message
    url = f"{lab.url}?m=1&a=1&s=2"
    result = await lab.send(replace(SMS, callback_url=url if per_message else None))
    expected = (Verification.FORGED if forged else Verification.SIGNED) if lab.vendor.signed else Verification.UNSIGNED
    for status in lab.vendor.statuses:
        callback = await lab.posted()
        assert callback.url == (url if per_message else lab.url)
        assert lab.provider().verify(callback) is expected
        (receipt,) = lab.provider().read(callback)
        assert (receipt.status, receipt.message_id, receipt.recognised) == (status, result.accepted.message_id, True)
        if lab.provider().capabilities.client_reference:
            assert receipt.reference == SMS.reference


@pytest.mark.parametrize(
    ("word", "status"), [("undelivered", Status.UNDELIVERED), ("expired", Status.EXPIRED), ("unknown", Status.UNKNOWN)]
)
async def test_what_did_not_arrive(lab, word, status):
    await lab.behave(reports={"statuses": [{"status": word}]})
    await lab.send(replace(SMS, callback_url=lab.url))
    (receipt,) = lab.provider().read(await lab.posted())
    assert (receipt.status, receipt.recognised) == (status, True)


@pytest.mark.parametrize("method", ["GET", "POST", "POST-JSON"])
@pytest.mark.parametrize("algorithm", ["md5hash", "md5", "sha1", "sha256", "sha512"])
@pytest.mark.parametrize("lab", [BY_SLUG["vonage"]], indirect=True, ids=["vonage"])
async def test_vonage_signs_in_five_ways_and_reports_in_three(lab, method, algorithm):
    lab.vendor.settings.update(signature_method=algorithm, report_method=method)
    try:
        await lab.behave()
        await lab.send(replace(SMS, text="x" * 161))
        for _ in range(4):
            callback = await lab.posted()
            assert lab.provider(signature_method=algorithm).verify(callback) is Verification.SIGNED
            (receipt,) = lab.provider().read(callback)
            assert receipt.reference == SMS.reference
    finally:
        for name in ("signature_method", "report_method"):
            del lab.vendor.settings[name]


@pytest.mark.parametrize("forged", [False, True])
async def test_people_write_in(lab, forged):
    message = {"from": SMS.to, "to": "+15551234567", "text": "Stop é", "url": lab.url, "forged": forged}
    async with lab.http.post(f"{lab.simulator.url}/control/accounts/{lab.vendor.sid}/inbound", json=message) as response:
        assert (await response.json()) == {"status": 204}
    callback = await lab.posted()
    expected = (Verification.FORGED if forged else Verification.SIGNED) if lab.vendor.signed else Verification.UNSIGNED
    assert lab.provider().verify(callback) is expected
    (event,) = lab.provider().read(callback)
    assert isinstance(event, Inbound)
    assert (event.sender, event.to, event.text) == (SMS.to, "+15551234567", "Stop é")


LOOKED_UP = pytest.mark.parametrize("lab", [BY_SLUG["infobip"], BY_SLUG["sinch"]], indirect=True, ids=["infobip", "sinch"])


@LOOKED_UP
async def test_what_was_taken_without_an_answer_is_found_by_our_reference(lab):
    await lab.behave(rules=[{"action": "accept_then_reset"}])
    assert (await lab.send()).outcome is Outcome.UNKNOWN
    async with lab.http.get(f"{lab.simulator.url}/control/ledger") as response:
        (entry,) = (await response.json())["entries"]
    found = await lab.look_up()
    assert found.message_id == entry["sid"]


@LOOKED_UP
async def test_what_was_never_taken_is_not_found(lab):
    await lab.behave(rules=[{"action": "reset"}])
    assert (await lab.send()).outcome is Outcome.UNKNOWN
    assert await lab.look_up() is None


@pytest.mark.parametrize("lab", [BY_SLUG["infobip"]], indirect=True, ids=["infobip"])
async def test_infobip_takes_an_id_once_and_the_look_up_tells_what_it_was(lab):
    rules = [{"action": "accept_then_500", "to": [SMS.to], "first": 1}, {**no(12), "to": ["+15005550006"], "first": 1}]
    await lab.behave(rules=rules)
    poor = replace(SMS, to="+15005550006", reference="r-2", callback_url=None)
    assert [(await lab.send()).outcome, (await lab.send()).outcome] == [Outcome.UNKNOWN, Outcome.UNKNOWN]
    assert [(await lab.send(poor)).outcome, (await lab.send(poor)).outcome] == [Outcome.MISCONFIGURED, Outcome.UNKNOWN]
    assert await lab.accepted() == 1
    assert (await lab.look_up()).message_id == SMS.reference
    assert await lab.look_up("r-2") is None
