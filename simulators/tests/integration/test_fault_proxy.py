"""Each mode of the proxy, between a client and an echo."""

import asyncio
import socket
import struct
import sys
import time

import pytest

from sms_simulators.fault_proxy import FaultProxy, Mode


@pytest.fixture
async def echo():
    """An upstream that answers each line with itself; `heard` is what reached it."""
    heard = []
    tasks = set()

    async def serve(reader, writer):
        tasks.add(asyncio.current_task())
        while line := await reader.readline():
            heard.append(line)
            writer.write(line)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname(), heard
    server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def proxy(echo):
    async with FaultProxy(upstream=echo[0]) as it:
        yield it


class Connection:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def ask(self, line, seconds=2.0):
        self.writer.write(line)
        async with asyncio.timeout(seconds):
            return await self.reader.readline()


@pytest.fixture
async def connect(proxy):
    opened = []

    async def open_():
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        opened.append(writer)
        return Connection(reader, writer)

    yield open_
    for writer in opened:
        writer.close()


async def test_it_passes_everything(connect):
    connection = await connect()
    assert await connection.ask(b"one\n") == b"one\n"
    assert await connection.ask(b"x" * 60000 + b"\n") == b"x" * 60000 + b"\n"
    connection.writer.write_eof()
    assert await connection.reader.read() == b""


async def test_it_delays(proxy, connect):
    connection = await connect()
    await proxy.set(Mode.LATENCY, 0.1)
    start = time.monotonic()
    assert await connection.ask(b"one\n") == b"one\n"
    assert time.monotonic() - start >= 0.2


async def test_a_black_hole_keeps_what_came_until_it_ends(proxy, connect, echo):
    connection = await connect()
    assert await connection.ask(b"one\n") == b"one\n"
    await proxy.set(Mode.BLACKHOLE)
    with pytest.raises(TimeoutError):
        await connection.ask(b"two\n", 0.2)
    assert echo[1] == [b"one\n"]
    await proxy.set(Mode.PASS)
    assert await connection.ask(b"three\n") == b"two\n"


async def test_answers_are_lost_and_requests_are_not(proxy, connect, echo):
    connection = await connect()
    await proxy.set(Mode.DROP_RESPONSES)
    with pytest.raises(TimeoutError):
        await connection.ask(b"one\n", 0.2)
    assert echo[1] == [b"one\n"]


async def test_it_cuts_after_so_many_bytes(proxy, connect):
    await proxy.set(Mode.CUT, 5)
    connection = await connect()
    assert await connection.ask(b"one\n") == b"one\n"
    assert await connection.ask(b"two\n") == b"t"
    assert await connection.reader.read() == b""


async def test_it_resets_open_and_new_connections(proxy, connect):
    connection = await connect()
    assert await connection.ask(b"one\n") == b"one\n"
    await proxy.set(Mode.RST)
    with pytest.raises(ConnectionResetError):
        await connection.ask(b"two\n")
    fresh = await connect()
    with pytest.raises(ConnectionResetError):
        await fresh.ask(b"three\n")
    await proxy.set(Mode.PASS)
    assert await (await connect()).ask(b"four\n") == b"four\n"


async def test_it_refuses_and_comes_back_on_the_same_port(proxy, connect):
    connection = await connect()
    assert await connection.ask(b"one\n") == b"one\n"
    await proxy.set(Mode.REFUSE)
    with pytest.raises(ConnectionResetError):
        await connection.ask(b"two\n")
    with pytest.raises(ConnectionRefusedError):
        await connect()
    await proxy.set(Mode.PASS)
    assert await (await connect()).ask(b"three\n") == b"three\n"


async def test_an_upstream_that_is_down_ends_the_connection():
    async with FaultProxy(upstream=("127.0.0.1", 1)) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await reader.read() == b""
        writer.close()


async def test_the_command_takes_modes_a_line_each(echo):
    host, port = echo[0]
    command = [sys.executable, "-m", "sms_simulators.fault_proxy", "--upstream", f"{host}:{port}"]
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    address = (await process.stdout.readline()).decode().removeprefix("listening on ").strip()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
    connection = Connection(reader, writer)
    assert await connection.ask(b"one\n") == b"one\n"
    process.stdin.write(b"nonsense\nlatency 0.1\n")
    assert (await process.stdout.readline()).startswith(b"error: ")
    assert await process.stdout.readline() == b"latency\n"
    assert await connection.ask(b"two\n") == b"two\n"
    process.stdin.close()
    assert await process.wait() == 0
    writer.close()


def _closed(writer):
    writer.transport.abort()


def _reset(writer):
    """As a killed process leaves a connection of which it has not read everything."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def holding(proxy, count=1):
    async with asyncio.timeout(5):
        while proxy.holding < count:  # noqa: ASYNC110 - a counter, not an event
            await asyncio.sleep(0.01)


async def test_answers_are_held_from_the_request_on_that_completes_the_markers(proxy, connect, echo):
    connection = await connect()
    await proxy.set(Mode.HOLD_ANSWERS, markers=(b"claim", b"COMMIT"))
    assert await connection.ask(b"COMMIT of another\n") == b"COMMIT of another\n"
    assert await connection.ask(b"claim\n") == b"claim\n"
    connection.writer.write(b"COM")
    await asyncio.sleep(0.05)
    connection.writer.write(b"MIT\n")
    await holding(proxy)
    with pytest.raises(TimeoutError):
        await connection.ask(b"", seconds=0.2)
    assert echo[1][-1] == b"COMMIT\n"
    await proxy.set(Mode.PASS)
    async with asyncio.timeout(2):
        assert await connection.reader.readline() == b"COMMIT\n"


@pytest.mark.parametrize("ending", [_closed, _reset])
@pytest.mark.parametrize("more", [b"", b"more\n"], ids=["alone", "with_more"])
async def test_a_held_request_arrives_when_it_is_let_go_and_never_if_its_client_is_gone(proxy, connect, echo, ending, more):
    patient, killed = await connect(), await connect()
    await proxy.set(Mode.HOLD_REQUESTS, markers=(b"ack",))
    patient.writer.write(b"ack 1\n")
    killed.writer.write(b"ack 2\n")
    await holding(proxy, 2)
    killed.writer.write(more)
    await killed.writer.drain()
    ending(killed.writer)
    await asyncio.sleep(0.1)
    assert echo[1] == []
    await proxy.set(Mode.PASS)
    async with asyncio.timeout(2):
        assert await patient.reader.readline() == b"ack 1\n"
    await patient.ask(b"after\n")
    assert echo[1] == [b"ack 1\n", b"after\n"]


async def test_by_turns_each_connection_goes_to_one_of_several_and_never_to_who_is_gone(echo):
    _, heard = echo
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        async with FaultProxy(upstream=nobody.getsockname(), others=[echo[0]]) as proxy:
            for number in range(4):
                reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
                assert await Connection(reader, writer).ask(b"%d\n" % number) == b"%d\n" % number
                writer.close()
    assert heard == [b"0\n", b"1\n", b"2\n", b"3\n"]


async def test_a_preferred_upstream_gets_the_next_connection(echo):
    async with FaultProxy(upstream=("127.0.0.1", 1), others=[("127.0.0.1", 2), echo[0]]) as proxy:
        proxy.prefer(echo[0])
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await Connection(reader, writer).ask(b"here\n") == b"here\n"
        writer.close()
