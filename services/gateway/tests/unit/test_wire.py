"""Questions and answers on one connection to Redis."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from redis.asyncio import Connection
from redis.exceptions import NoScriptError, ResponseError

from sms_gateway.wire import Wire


class Transport:
    """Remembers what was written, and whether it was given up."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.aborted = False
        self.protocol: Any = None

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def abort(self) -> None:
        self.aborted = True


def wired(*, patience: float = 60.0) -> tuple[Wire, Transport]:
    transport = Transport()
    connection = SimpleNamespace(_writer=SimpleNamespace(transport=transport), _close=lambda: None)
    return Wire(cast("Connection", connection), patience=patience), transport


async def test_questions_go_out_at_once_and_are_answered_in_their_order() -> None:
    wire, transport = wired()
    first, second = wire.ask([("GET", "a"), ("GET", "b")]), wire.ask([("TIME",)])
    assert transport.written == [b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nGET\r\n$1\r\nb\r\n", b"*1\r\n$4\r\nTIME\r\n"]
    for piece in (b"$1\r\n1\r", b"\n$-1\r\n*2\r\n:1\r\n", b":0\r\n"):
        transport.protocol.data_received(piece)
    assert (first.result(), second.result()) == ([b"1", None], [[1, 0]])


async def test_an_error_stands_in_the_place_of_its_answer() -> None:
    wire, transport = wired()
    asked = wire.ask([("EVALSHA", "x", 0), ("GET", "a"), ("INCR", "a")])
    transport.protocol.data_received(b"-NOSCRIPT No matching script.\r\n$1\r\n1\r\n-ERR not an integer\r\n")
    forgotten, found, wrong = asked.result()
    assert (type(forgotten), found, type(wrong)) == (NoScriptError, b"1", ResponseError)


async def test_who_stops_waiting_does_not_get_others_answers_mixed_up() -> None:
    wire, transport = wired()
    gone, other = wire.ask([("GET", "a")]), wire.ask([("GET", "b")])
    gone.cancel()
    transport.protocol.data_received(b"$1\r\n1\r\n$1\r\n2\r\n")
    assert other.result() == [b"2"]


async def test_an_answer_that_does_not_come_ends_the_connection_for_all_who_wait() -> None:
    wire, transport = wired(patience=0.02)
    first, second = wire.ask([("GET", "a")]), wire.ask([("GET", "b")])
    async with asyncio.timeout(10):
        with pytest.raises(TimeoutError):
            await first
    with pytest.raises(OSError):
        await second
    assert (wire.closed, transport.aborted) == (True, True)
    with pytest.raises(OSError):
        await wire.ask([("GET", "c")])


@pytest.mark.parametrize("said", [b"?what\r\n", b"$1\r\n1\r\n"], ids=["not Redis", "nobody asked"])
async def test_what_makes_no_sense_ends_the_connection(said: bytes) -> None:
    wire, transport = wired()
    transport.protocol.data_received(said)
    assert (wire.closed, transport.aborted) == (True, True)


async def test_a_lost_connection_fails_what_was_asked() -> None:
    wire, transport = wired()
    asked = wire.ask([("GET", "a")])
    transport.protocol.connection_lost(None)
    assert isinstance(asked.exception(), OSError)


async def test_one_that_is_retired_answers_what_it_was_asked_before_it_closes() -> None:
    wire, transport = wired()
    asked = wire.ask([("GET", "a")])
    wire.retire()
    assert not wire.closed
    transport.protocol.data_received(b"$1\r\n1\r\n")
    assert asked.result() == [b"1"]
    assert (wire.closed, transport.aborted) == (True, True)
    idle, _ = wired()
    idle.retire()
    assert idle.closed
