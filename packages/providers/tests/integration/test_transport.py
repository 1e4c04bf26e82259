"""What the transport says of real sockets that fail: "not sent" only where nothing can have been written, and nothing is sent twice."""

import asyncio
import socket
import struct
import time
from contextlib import asynccontextmanager

import pytest

from sms_providers.errors import NotSentError, UnknownOutcomeError
from sms_providers.transport import MAX_ANSWER, Transport
from sms_providers.types import HttpAnswer, HttpRequest

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Vendor:
    """A server that reads whole requests, counts them, and does with each what it is told."""

    def __init__(self, *scripts):
        self.scripts = list(scripts)
        self.requests = []
        self.connections = 0
        self.read = asyncio.Event()
        self.tasks = []

    async def serve(self, reader, writer):
        self.tasks.append(asyncio.current_task())
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0)
                self.requests.append((head, await reader.readexactly(length)))
                self.read.set()
                script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
                if await script(writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def says(answer):
    async def script(writer):
        writer.write(answer)
        await writer.drain()

    return script


def says_and_closes(answer=b""):
    async def script(writer):
        writer.write(answer)
        await writer.drain()
        return True

    return script


async def resets(writer):
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return True


async def hangs(writer):
    await asyncio.sleep(30)


@asynccontextmanager
async def vendor_of(*scripts, **options):
    vendor = Vendor(*scripts)
    server = await asyncio.start_server(vendor.serve, "127.0.0.1", 0, **options)
    vendor.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/send?key=s3cret"
    yield vendor
    server.close()
    for task in vendor.tasks:
        task.cancel()
    await asyncio.gather(*vendor.tasks, return_exceptions=True)


async def exchange(vendor, method="POST", **options):
    async with Transport(**options) as transport:
        return await transport.exchange_for("eu")(HttpRequest(method=method, url=vendor.url, body=b"" if method == "GET" else b"To=1"))


async def test_an_answer_comes_back_whole():
    async with vendor_of(says(b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy")) as vendor:
        answer = await exchange(vendor)
        assert (answer.status, answer.body, answer.headers.get("retry-after")) == (429, b"busy", "7")
        assert vendor.requests[0][1] == b"To=1"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize(
    "script",
    [
        says_and_closes(),
        resets,
        says_and_closes(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
        says_and_closes(b"\x00\xff\x00\xff"),
        says_and_closes(b"HTTP/1.1 201 Cre"),
        says_and_closes(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{"),
        says_and_closes(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"),
        says_and_closes(b"HTTP/1.1 201 Created\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"),
    ],
)
async def test_no_clear_answer_is_unknown_and_is_asked_for_once(method, script):
    async with vendor_of(script) as vendor:
        with pytest.raises(UnknownOutcomeError) as unknown:
            await exchange(vendor, method)
        assert len(vendor.requests) == 1
        assert "s3cret" not in repr(unknown.value) + str(unknown.value)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize("ending", [says_and_closes(), resets])
async def test_a_kept_connection_that_ends_is_not_tried_again(method, ending):
    async with vendor_of(says(OK), ending, says(OK)) as vendor, Transport() as transport:
        send = transport.exchange_for("eu")
        request = HttpRequest(method=method, url=vendor.url)
        assert (await send(request)).status == 200
        with pytest.raises(UnknownOutcomeError):
            await send(request)
        assert (len(vendor.requests), vendor.connections) == (2, 1)
        assert (await send(request)).status == 200


async def test_a_kept_connection_is_used_again():
    async with vendor_of(says(OK)) as vendor, Transport() as transport:
        for _ in range(5):
            await transport.exchange_for("eu")(HttpRequest(method="POST", url=vendor.url, body=b"x"))
        assert (len(vendor.requests), vendor.connections) == (5, 1)


@pytest.mark.parametrize("options", [{"read": 0.2}, {"total": 0.2}])
async def test_silence_after_the_request_is_unknown(options):
    async with vendor_of(hangs) as vendor:
        with pytest.raises(UnknownOutcomeError):
            await exchange(vendor, **options)
        assert len(vendor.requests) == 1


async def test_nobody_listening_is_not_sent():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        vendor = Vendor()
        vendor.url = f"http://127.0.0.1:{bound.getsockname()[1]}/"
        with pytest.raises(NotSentError):
            await exchange(vendor)


async def test_no_such_host_is_not_sent():
    vendor = Vendor()
    vendor.url = "http://no-such-host.invalid/"
    with pytest.raises(NotSentError):
        await exchange(vendor)


async def test_a_connect_that_hangs_is_not_sent():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        vendor = Vendor()
        vendor.url = f"http://127.0.0.1:{full.getsockname()[1]}/"
        with pytest.raises(NotSentError):
            await exchange(vendor, connect=0.3)
        for each in waiting:
            each.close()


@pytest.mark.parametrize("script", [says_and_closes(b"plain words\r\n\r\n"), resets])
async def test_a_tls_handshake_that_fails_is_not_sent(script):
    received = asyncio.Event()

    async def serve(reader, writer):
        await reader.read(1)
        received.set()
        await script(writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    vendor = Vendor()
    vendor.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    with pytest.raises(NotSentError):
        await exchange(vendor)
    assert received.is_set()
    server.close()


async def test_a_tls_handshake_that_hangs_is_not_sent():
    async def serve(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    vendor = Vendor()
    vendor.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    with pytest.raises(NotSentError):
        await exchange(vendor, connect=0.3)
    server.close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(status):
    moved = f"HTTP/1.1 {status} Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n".encode()
    async with vendor_of(says(moved)) as vendor:
        assert (await exchange(vendor)).status == status
        assert len(vendor.requests) == 1


async def test_an_endless_answer_is_cut_off():
    endless = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" + b"x" * (2 * MAX_ANSWER)
    async with vendor_of(says(endless)) as vendor:
        assert len((await exchange(vendor)).body) == MAX_ANSWER


async def test_waiting_for_a_slot_is_no_part_of_the_time_out():
    async def slow(writer):
        await asyncio.sleep(0.15)
        writer.write(OK)

    async with vendor_of(slow) as vendor, Transport(slots=1, total=0.4) as transport:
        request = HttpRequest(method="POST", url=vendor.url)
        answers = await asyncio.gather(*(transport.exchange_for("eu")(request) for _ in range(5)))
        assert [answer.status for answer in answers] == [200] * 5


async def test_nothing_is_written_after_the_lease_has_run_out():
    async with vendor_of(hangs) as vendor, Transport(slots=1, total=5) as transport:
        request = HttpRequest(method="POST", url=vendor.url)
        first = asyncio.create_task(transport.exchange_for("eu")(request))
        await vendor.read.wait()
        with pytest.raises(NotSentError):
            await transport.exchange_for("eu", not_after=time.monotonic() + 0.1)(request)
        with pytest.raises(NotSentError):
            await transport.exchange_for("other", not_after=time.monotonic() - 1)(request)
        assert len(vendor.requests) == 1
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_a_provider_whose_slots_are_taken_holds_up_no_other():
    async with vendor_of(hangs, says(OK)) as vendor, Transport(slots=1) as transport:
        request = HttpRequest(method="POST", url=vendor.url)
        stuck = asyncio.create_task(transport.exchange_for("eu")(request))
        await vendor.read.wait()
        assert (await transport.exchange_for("us")(request)).status == 200
        stuck.cancel()
        await asyncio.gather(stuck, return_exceptions=True)


async def test_each_exchange_is_observed():
    seen = []

    def observe(provider, result, seconds):
        seen.append((provider, result, seconds >= 0))

    async with vendor_of(says(OK), resets) as vendor, Transport(observe=observe) as transport:
        request = HttpRequest(method="POST", url=vendor.url)
        await transport.exchange_for("eu")(request)
        with pytest.raises(UnknownOutcomeError):
            await transport.exchange_for("eu")(request)
        dead = HttpRequest(method="POST", url="http://no-such-host.invalid/")
        with pytest.raises(NotSentError):
            await transport.exchange_for("us")(dead)
    assert seen == [("eu", "2xx", True), ("eu", "unknown", True), ("us", "not_sent", True)]


async def test_what_is_answered_in_the_process_reaches_no_socket():
    async with Transport() as transport:
        request = HttpRequest(method="POST", url="test://nowhere", in_process=lambda: HttpAnswer(status=201))
        assert (await transport.exchange_for("test")(request)).status == 201


async def test_a_transport_that_is_not_open_sends_nothing():
    with pytest.raises(RuntimeError):
        await Transport().exchange_for("eu")(HttpRequest(method="POST", url="http://127.0.0.1:9/"))
