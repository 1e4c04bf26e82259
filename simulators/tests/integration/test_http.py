"""The server under the simulated vendors: what comes over one connection is answered in its order, whatever its shape."""

import asyncio
from contextlib import asynccontextmanager

from sms_simulators.http import Response, serving, text_answer


async def echo(request):
    """Says what it read; waits where it is told to, and fails where it is told to."""
    if request.path == "/wait":
        await asyncio.sleep(0.05)
    if request.path == "/fault":
        raise RuntimeError("a fault of the vendor's")
    return text_answer(200, f"{request.method} {request.path} {request.query_string} {request.body.decode()}", {"X-Vendor": "yes"})


@asynccontextmanager
async def connected(handle=echo):
    async with serving(handle, "127.0.0.1", 0) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            yield reader, writer
        finally:
            writer.close()


async def answered(reader, *, body=True):
    async with asyncio.timeout(10):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        content = await reader.readexactly(int(headers["content-length"])) if body else b""
    return head[0], headers, content.decode()


async def test_a_request_is_read_whole_however_it_comes():
    async with connected() as (reader, writer):
        for piece in (b"POST /a%20b?c=%20d HTTP/1.1\r\nHo", b"st: x\r\nContent-Length: 4\r\n\r\nab", b"cd"):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        status, headers, content = await answered(reader)
        assert (status, content) == ("HTTP/1.1 200 OK", "POST /a b c=%20d abcd")
        assert headers["x-vendor"] == "yes"
        assert "connection" not in headers


async def test_requests_in_one_go_are_answered_in_their_order():
    async with connected() as (reader, writer):
        writer.write(b"".join(b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % path for path in (b"wait", b"2", b"wait", b"4")))
        assert [(await answered(reader))[2].split()[1] for _ in range(4)] == ["/wait", "/2", "/wait", "/4"]


async def test_what_comes_while_another_is_answered_has_its_turn():
    async with connected() as (reader, writer):
        writer.write(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.write(b"GET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert [(await answered(reader))[2].split()[1] for _ in range(2)] == ["/wait", "/2"]


async def test_who_wants_the_connection_closed_has_it_closed():
    async with connected() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        _, headers, _ = await answered(reader)
        assert headers["connection"] == "close"
        assert await reader.read() == b""


async def test_a_fault_is_a_500_and_ends_nothing():
    async with connected() as (reader, writer):
        writer.write(b"GET /fault HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert [(await answered(reader))[0] for _ in range(2)] == ["HTTP/1.1 500 Internal Server Error", "HTTP/1.1 200 OK"]


async def test_a_head_has_no_body():
    async with connected() as (reader, writer):
        writer.write(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        _, headers, _ = await answered(reader, body=False)
        assert int(headers["content-length"]) > 0
        writer.write(b"GET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await answered(reader))[2] == "GET /2  "


async def test_a_client_that_asks_first_is_told_to_go_on():
    async with connected() as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ok")
        assert (await answered(reader))[2].endswith("ok")


async def test_what_is_not_http_is_refused():
    async with connected() as (reader, writer):
        writer.write(b"what?\r\n\r\n")
        status, _, _ = await answered(reader)
        assert status == "HTTP/1.1 400 Bad Request"
        assert await reader.read() == b""


async def test_what_is_under_way_at_the_end_is_still_answered():
    asked = asyncio.Event()

    async def slow(_request):
        asked.set()
        await asyncio.sleep(0.05)
        return Response()

    async with serving(slow, "127.0.0.1", 0) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await asked.wait()
    status, headers, _ = await answered(reader)
    assert (status, headers["connection"]) == ("HTTP/1.1 200 OK", "close")
    writer.close()
