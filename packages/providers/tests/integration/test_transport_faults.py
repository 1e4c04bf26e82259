"""
Hundreds of requests through a proxy that breaks connections at random moments: "not sent" is said of none of which a byte arrived.

Each request carries its number in its URL and in its body, and the vendor keeps every byte that it has read, whole requests or not.
"""

import asyncio
import random
import re

import pytest

from sms_providers.errors import NotSentError, UnknownOutcomeError
from sms_providers.transport import Transport
from sms_providers.types import HttpRequest
from sms_simulators.fault_proxy import FaultProxy, Mode

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#: With long bodies a connection also breaks while one is being written.
BODIES = (b"", b"x" * 300_000)
AMOUNTS = {Mode.CUT: 20, Mode.LATENCY: 0.01}
#: Long enough, at times, for the time-out of an answer.
SILENT = {Mode.BLACKHOLE, Mode.DROP_RESPONSES}


class Vendor:
    """Answers what comes, and keeps all of it."""

    def __init__(self, answer):
        self.answer = answer
        self.received = []
        self.whole = []

    async def serve(self, reader, writer):
        stream = bytearray()
        self.received.append(stream)
        try:
            while chunk := await reader.read(65536):
                stream += chunk
                while (end := re.search(rb"END(\d+)\.", stream[self.seen(stream) :])) is not None:
                    self.whole.append(int(end[1]))
                    writer.write(self.answer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    def seen(self, stream):
        found = list(re.finditer(rb"END(\d+)\.", stream))
        answered = [match for match in found if int(match[1]) in self.whole]
        return answered[-1].end() if answered else 0

    def met(self, number):
        """Whether anything of a request arrived."""
        return any(f"/send/{number}/".encode() in stream for stream in self.received)


@pytest.mark.parametrize("body", BODIES, ids=["short", "long"])
@pytest.mark.parametrize("seed", [1])
async def test_whatever_breaks_not_sent_means_that_nothing_arrived(seed, body):
    rng = random.Random(seed)
    vendor = Vendor(OK)
    server = await asyncio.start_server(vendor.serve, "127.0.0.1", 0)
    outcomes = {}

    async with (
        server,
        FaultProxy(upstream=("127.0.0.1", server.sockets[0].getsockname()[1])) as proxy,
        Transport(connect=0.2, read=0.3, total=1.0, slots=16) as transport,
    ):
        exchange = transport.exchange_for("eu")

        async def send(number):
            url = f"http://127.0.0.1:{proxy.port}/send/{number}/"
            try:
                answer = await exchange(HttpRequest(method="POST", url=url, body=body + f"END{number}.".encode()))
                outcomes[number] = answer.status
            except (NotSentError, UnknownOutcomeError) as error:
                outcomes[number] = type(error)

        async def break_things():
            while True:
                # An open road between any two faults, so that connections are kept and then lost.
                for mode in (rng.choice(list(Mode)), Mode.PASS):
                    await proxy.set(mode, AMOUNTS.get(mode, 0))
                    await asyncio.sleep(rng.uniform(0.01, 0.5 if mode in SILENT else 0.1))

        breaking = asyncio.create_task(break_things())
        number = 0
        while number < 300 or not {200, NotSentError} <= set(outcomes.values()):
            assert number < 3000, "no fault was met, or nothing else"
            await asyncio.gather(*(send(number + index) for index in range(20)))
            number += 20
        breaking.cancel()
        await asyncio.gather(breaking, return_exceptions=True)
        await proxy.set(Mode.PASS)

    assert [number for number, outcome in outcomes.items() if outcome is NotSentError and vendor.met(number)] == []
    assert UnknownOutcomeError in outcomes.values()
    # Nothing was sent again by anybody but its caller; what was answered had arrived.
    assert len(vendor.whole) == len(set(vendor.whole))
    assert {number for number, outcome in outcomes.items() if outcome == 200} <= set(vendor.whole)
