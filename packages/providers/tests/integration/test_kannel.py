"""Debian's own Kannel, on loopback, with its fake SMSC: is it spoken to as it wants, and is the simulator like it?"""

import asyncio
import shutil
import socket
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, replace
from urllib.parse import unquote_to_bytes

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
from sms_providers.types import Callback
from sms_simulators.server import Simulator

pytestmark = pytest.mark.skipif(
    not (shutil.which("bearerbox", path="/usr/sbin:/usr/bin") and shutil.which("smsbox", path="/usr/sbin:/usr/bin")),
    reason="Kannel is not installed (Debian: apt-get install kannel)",
)
CONFIG = """
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = unused
smsbox-port = {box}
smsbox-interface = 127.0.0.1
box-allow-ip = "127.0.0.1"
dlr-storage = internal

group = smsc
smsc = fake
smsc-id = fake
port = {smsc}
connect-allow-ip = 127.0.0.1

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {box}
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1

group = sendsms-user
username = me
password = s3cret
max-messages = 10

group = sms-service
keyword = default
get-url = "{callbacks}?id=%I&from=%p&to=%P&text=%a"
max-messages = 0
"""


@dataclass
class Kannel:
    """A running one, its carrier's end, and an address that takes what it posts."""

    url: str
    callbacks: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    arrived: asyncio.Queue

    async def send(self, sms, url=None, **config):
        given = {"username": "me", "password": "s3cret", "base_url": url or self.url, **config}
        async with Transport() as transport:
            (result,) = await send_many([Job(provider=build("kannel", given), sms=sms)], transport)
            return result

    async def carried(self):
        """What the fake SMSC hands to its client: sender, recipient, kind, text."""
        async with asyncio.timeout(10):
            return (await self.reader.readline()).decode().rstrip("\n").split(" ", 3)

    async def posted(self):
        async with asyncio.timeout(10):
            callback = await self.arrived.get()
            return callback, build("kannel", {"username": "me", "password": "x", "base_url": self.url}).read(callback)


def free_ports(count):
    """Ports that were free a moment ago, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


async def connected(port):
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.05)  # another process is starting


async def started(stack, name, config):
    process = await asyncio.create_subprocess_exec(
        f"/usr/sbin/{name}", str(config), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, cwd=config.parent
    )

    async def stop():
        if process.returncode is None:
            process.kill()
        await process.wait()

    stack.push_async_callback(stop)


@pytest.fixture
async def kannel(tmp_path):
    arrived = asyncio.Queue()

    async def receive(request):
        arrived.put_nowait(Callback(method=request.method, url=f"http://{request.host}{request.path_qs}"))
        return web.Response(status=200)

    async with AsyncExitStack() as stack, asyncio.timeout(30):
        runner = web.ServerRunner(web.Server(receive), shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        callbacks = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/callbacks/kn/token"
        admin, box, smsc, sendsms = free_ports(4)
        config = tmp_path / "kannel.conf"
        config.write_text(CONFIG.format(admin=admin, box=box, smsc=smsc, sendsms=sendsms, callbacks=callbacks))
        await started(stack, "bearerbox", config)
        for port in (box, smsc):
            _, writer = await connected(port)
            writer.close()
        reader, writer = await connected(smsc)
        stack.callback(writer.close)
        await started(stack, "smsbox", config)
        _, probe = await connected(sendsms)
        probe.close()
        yield Kannel(f"http://127.0.0.1:{sendsms}", callbacks, reader, writer, arrived)


async def test_it_is_carried_and_reported(kannel):
    url = f"{kannel.callbacks}?m=0192f0c1&a=1&s=5f2c&x=%25d%20"
    result = await kannel.send(replace(SMS, text="Your code is 4711 & more: é=+%", callback_url=url))
    assert (result.outcome, result.accepted.message_id) == (Outcome.ACCEPTED, SMS.reference)
    assert await kannel.carried() == ["ACME", SMS.to, "text", "Your code is 4711 & more: é=+%"]
    statuses = set()
    while Status.DELIVERED not in statuses:
        callback, (receipt,) = await kannel.posted()
        assert {name: callback.query[name] for name in "masx"} == {"m": "0192f0c1", "a": "1", "s": "5f2c", "x": "%d "}
        assert receipt.recognised
        statuses.add(receipt.status)
    assert statuses <= {Status.SENT, Status.DELIVERED}


async def test_a_text_in_parts_is_reported_as_one(kannel):
    """Kannel asks the carrier for a report on one of the parts alone: what it says is said of the whole, and adds up to nothing."""
    text = "".join(chr(ord("a") + number % 26) for number in range(400))
    result = await kannel.send(replace(SMS, text=text, segments=3, callback_url=f"{kannel.callbacks}?m=long"))
    assert result.outcome is Outcome.ACCEPTED
    parts = [await kannel.carried() for _ in range(3)]
    assert "".join(part[3] for part in parts) == text
    # What is reported of the next message comes after all that is reported of this one.
    assert (await kannel.send(replace(SMS, callback_url=f"{kannel.callbacks}?m=next"))).outcome is Outcome.ACCEPTED
    heard = {"long": [], "next": []}
    while Status.DELIVERED not in heard["next"] or Status.DELIVERED not in heard["long"]:
        callback, (receipt,) = await kannel.posted()
        assert receipt.part is None
        heard[callback.query["m"]].append(receipt.status)
    assert sorted(heard["long"]) == sorted({Status.SENT, Status.DELIVERED}), heard


async def test_unicode_arrives_as_it_was(kannel):
    result = await kannel.send(replace(SMS, text="سلام 😀", encoding=Encoding.UCS2, callback_url=None))
    assert result.outcome is Outcome.ACCEPTED
    sender, recipient, kind, text = await kannel.carried()
    assert (sender, recipient, kind) == ("ACME", SMS.to, "ucs-2")
    assert unquote_to_bytes(text.replace("+", " ")).decode("utf-16-be") == "سلام 😀"


async def test_people_write_in(kannel):
    kannel.writer.write(b"+447911123456 12345 text Stop it\n")
    _, (event,) = await kannel.posted()
    assert (event.sender, event.to, event.text) == (SMS.to, "12345", "Stop it")


REFUSED = [
    ({}, {"password": "other"}, Outcome.MISCONFIGURED),
    ({"sender": None}, {}, Outcome.NOT_FOR_THIS_PROVIDER),
    ({"to": ""}, {}, Outcome.REFUSED),
]


async def test_it_refuses_as_its_simulator_does(kannel, tmp_path):
    async with Simulator(ledger=tmp_path / "ledger") as simulator, aiohttp.ClientSession() as http:
        account = {"vendor": "kannel", "auth_token": "s3cret"}
        async with http.put(f"{simulator.url}/control/accounts/me", json=account) as response:
            assert response.status == 200
        for sms, config, outcome in REFUSED:
            for url in (kannel.url, simulator.url):
                result = await kannel.send(replace(SMS, **{"callback_url": None, **sms}), url, **config)
                assert (result.outcome, result.error.provider_code) == (outcome, result.error.provider_code)
        answers = []
        for url in (kannel.url, simulator.url):
            query = {"username": "me", "password": "s3cret", "from": "ACME", "to": SMS.to, "text": "x"}
            async with http.get(f"{url}/cgi-bin/sendsms", params=query) as response:
                answers.append((response.status, response.content_type, await response.text()))
        assert answers[0] == answers[1]


async def test_a_number_that_it_may_not_send_to_is_for_others(kannel):
    result = await kannel.send(replace(SMS, to="nobody", callback_url=None))
    assert (result.outcome, result.error.code) == (Outcome.NOT_FOR_THIS_PROVIDER, "recipient.blocked")
