"""Clients that take their time, over real sockets: they get a clear answer or a closed connection, and the process goes on."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest

LIMIT = 0.6


@pytest.fixture
async def connect(system) -> AsyncIterator:
    """Opens a connection; `connect.whole` and `connect.chunked` are requests, the second one without its chunks."""
    async with system.served(read_timeout=LIMIT) as (address, state), contextlib.AsyncExitStack() as stack:

        async def open_one() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_connection(*address)
            stack.callback(writer.close)
            stack.callback(writer.transport.abort)
            return reader, writer

        open_one.state = state
        open_one.whole = system.raw()
        open_one.chunked = system.raw(Transfer_Encoding="chunked", body=b"")
        yield open_one


async def drip(writer: asyncio.StreamWriter, data: bytes, *, pause: float = 0.05) -> None:
    """One byte after the other, until nobody takes them any more."""
    with contextlib.suppress(OSError):
        for byte in data:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(pause)


async def rest(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the connection is closed."""
    said = b""
    with contextlib.suppress(ConnectionResetError):
        async with asyncio.timeout(20):
            while part := await reader.read(65536):
                said += part
    return said


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict]:
    async with asyncio.timeout(10):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length"))
        return int(head.split()[1]), json.loads(await reader.readexactly(length))


async def is_unharmed(connect) -> None:
    reader, writer = await connect()
    writer.write(connect.whole)
    assert (await answer(reader))[0] == 202


@pytest.mark.parametrize("what", ["head", "body", "chunks", "empty lines"])
async def test_a_request_that_comes_too_slowly_is_given_up(system, connect, what: str) -> None:
    head = system.raw(Content_Length="2000", body=b"")
    begin, slowly = {
        "head": (b"", head),
        "body": (head, b" " * 2000),
        "chunks": (connect.chunked, b"1\r\nx\r\n" * 500),
        "empty lines": (b"\r\n", b"\r\n" * 1000),
    }[what]
    reader, writer = await connect()
    writer.write(begin)
    dripping = asyncio.create_task(drip(writer, slowly))
    await is_unharmed(connect)
    said = await rest(reader)
    dripping.cancel()
    assert said == b"" or said.startswith(b"HTTP/1.1 408 ")
    # Empty lines are no request yet.
    assert (said == b"") is (what == "empty lines")
    assert b"connection: close" in said or not said
    await is_unharmed(connect)
    assert len(await system.queued()) == 2


async def test_who_says_nothing_is_shown_out(connect) -> None:
    reader, _ = await connect()
    assert await rest(reader) == b""


async def test_who_is_slow_but_in_time_is_served(connect) -> None:
    reader, writer = await connect()
    for _ in range(3):
        third = len(connect.whole) // 3
        for part in (connect.whole[:third], connect.whole[third : 2 * third], connect.whole[2 * third :]):
            writer.write(part)
            await asyncio.sleep(LIMIT / 6)
        assert (await answer(reader))[0] == 202


async def test_an_idle_connection_is_kept(connect) -> None:
    reader, writer = await connect()
    for _ in range(2):
        writer.write(connect.whole)
        assert (await answer(reader))[0] == 202
        await asyncio.sleep(LIMIT * 2)
    assert not reader.at_eof()


async def test_an_answer_may_take_longer_than_a_request(system, connect) -> None:
    system.broker.mute()
    reader, writer = await connect()
    writer.write(system.raw("k"))
    await asyncio.sleep(LIMIT * 2)
    system.broker.resume()
    assert (await answer(reader))[0] == 202


async def test_what_follows_an_early_refusal_has_no_more_time(connect) -> None:
    reader, writer = await connect()
    writer.write(connect.chunked + b"20000\r\n" + b"x" * 0x20000 + b"\r\n")
    status, problem = await answer(reader)
    assert (status, problem["code"]) == (413, "request.too_large")
    dripping = asyncio.create_task(drip(writer, b"1\r\nx\r\n" * 500))
    assert await rest(reader) == b""
    dripping.cancel()


async def test_ten_megabytes_in_chunks_are_refused_and_the_connection_goes_on(connect) -> None:
    reader, writer = await connect()
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    for _ in range(160):
        writer.write(chunk if _ else connect.chunked + chunk)
        await writer.drain()
    writer.write(b"0\r\n\r\n" + connect.whole)
    assert (await answer(reader))[1]["code"] == "request.too_large"
    assert (await answer(reader))[0] == 202


async def test_an_endless_head_is_refused(connect) -> None:
    reader, writer = await connect()
    writer.write(b"GET /healthz HTTP/1.1\r\n")
    with contextlib.suppress(OSError):
        for number in range(20_000):
            writer.write(b"x-%d: %s\r\n" % (number, b"y" * 100))
            await writer.drain()
            if not number % 100:
                await asyncio.sleep(0)
    # A reset may overtake the answer.
    assert (await rest(reader))[:12] in {b"HTTP/1.1 431", b""}
    await is_unharmed(connect)


async def test_who_does_not_read_is_let_go(system, connect) -> None:
    reader, writer = await connect()
    await asyncio.sleep(0)
    # More answers than all buffers between us hold.
    writer.transport.pause_reading()
    writer.write(system.raw(method="GET", path="/openapi.json", body=b"") * 400)
    await system.until(lambda: any(each.flow.write_paused for each in connect.state.connections))
    await system.until(lambda: not connect.state.connections)
    await is_unharmed(connect)
    del reader


async def test_hundreds_of_slow_ones_do_not_keep_a_fast_one_waiting(system, connect) -> None:
    slow = []
    for _ in range(300):
        slow.append(await connect())
        slow[-1][1].write(connect.whole[:50])
    for _ in range(20):
        await is_unharmed(connect)
    assert {(await rest(reader))[:13] for reader, _ in slow} == {b"HTTP/1.1 408 "}
    assert len(await system.queued()) == 20


async def test_http_1_0_is_spoken(connect) -> None:
    reader, writer = await connect()
    writer.write(connect.whole.replace(b"HTTP/1.1", b"HTTP/1.0"))
    status, message = await answer(reader)
    assert (status, message["to"]) == (202, "+447911123456")
    assert await rest(reader) == b""
