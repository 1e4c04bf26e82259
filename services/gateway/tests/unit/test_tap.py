"""What a tap takes out of a connection, and what it leaves."""

import asyncio
import itertools
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiormq import Channel
from hypothesis import given
from hypothesis import strategies as st
from pamqp import frame
from pamqp.body import ContentBody
from pamqp.commands import Basic, Queue
from pamqp.commands import Channel as Commands
from pamqp.header import ContentHeader
from pamqp.heartbeat import Heartbeat

from sms_gateway.tap import Fate, Tap

OURS, OTHERS = 2, 1
ACK = frame.marshal(Basic.Ack(1), OURS)


class Transport:
    """A transport that remembers what was written to it, and whose protocol remembers what it was handed on."""

    def __init__(self) -> None:
        self.written = b""
        self.handed_on = b""
        self.lost: list[Exception | None] = []
        self.protocol: Any = SimpleNamespace(data_received=self._hand_on, connection_lost=self.lost.append)
        self.closing = False

    def get_protocol(self) -> Any:
        return self.protocol

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closing

    def _hand_on(self, data: bytes) -> None:
        self.handed_on += data


def tapped(*, piece: int = 100) -> tuple[Tap, Transport]:
    tap, transport = Tap(), Transport()
    tap.attach(cast("asyncio.Transport", transport))
    tap.take(cast("Channel", SimpleNamespace(number=OURS, max_content_size=piece)))
    return tap, transport


def publish(tap: Tap, name: str = "m1", body: bytes = b"body") -> asyncio.Future[Fate]:
    return tap.publish("sms", "q", body, properties=Basic.Properties(message_id=name, delivery_mode=2))


def returned(name: str, body: bytes) -> bytes:
    frames = [Basic.Return(312, "NO_ROUTE", "sms", "q"), ContentHeader(0, len(body), Basic.Properties(message_id=name))]
    frames += [ContentBody(body[i : i + 3]) for i in range(0, len(body), 3)]
    return b"".join(frame.marshal(one, OURS) for one in frames)


def frames_of(data: bytes) -> list[tuple[int, Any]]:
    found = []
    while data:
        consumed, channel, one = frame.unmarshal(data)
        found.append((channel, one))
        data = data[consumed:]
    return found


async def test_a_publish_is_written_at_once_in_pieces_that_the_broker_takes() -> None:
    tap, transport = tapped(piece=4)
    publish(tap, body=b"0123456789")
    (_, method), (_, header), *bodies = frames_of(transport.written)
    assert (method.exchange, method.routing_key, method.mandatory) == ("sms", "q", True)
    assert (header.body_size, header.properties.message_id, header.properties.delivery_mode) == (10, "m1", 2)
    assert [body.value for _, body in bodies] == [b"0123", b"4567", b"89"]
    assert {channel for channel, _ in frames_of(transport.written)} == {OURS}


async def test_each_publish_hears_of_its_own_confirm() -> None:
    tap, transport = tapped()
    first, second, third = (publish(tap, name) for name in ("m1", "m2", "m3"))
    transport.protocol.data_received(frame.marshal(Basic.Ack(2), OURS))
    assert second.result() is Fate.QUEUED
    assert not first.done()
    transport.protocol.data_received(frame.marshal(Basic.Nack(1), OURS) + frame.marshal(Basic.Ack(3), OURS))
    assert (first.result(), third.result()) == (Fate.REFUSED, Fate.QUEUED)


async def test_one_confirm_may_speak_of_all_before_it() -> None:
    tap, transport = tapped()
    first, second, third = (publish(tap, name) for name in ("m1", "m2", "m3"))
    transport.protocol.data_received(frame.marshal(Basic.Ack(2, multiple=True), OURS))
    assert (first.result(), second.result(), third.done()) == (Fate.QUEUED, Fate.QUEUED, False)


@pytest.mark.parametrize("body", [b"", b"1234567"])
async def test_what_comes_back_is_not_queued_although_it_is_confirmed(body: bytes) -> None:
    tap, transport = tapped()
    first, second = publish(tap, "m1"), publish(tap, "m2")
    transport.protocol.data_received(returned("m2", body) + frame.marshal(Basic.Ack(2, multiple=True), OURS))
    assert (first.result(), second.result()) == (Fate.QUEUED, Fate.RETURNED)


@given(st.lists(st.integers(1, 200), max_size=12))
def test_everything_else_is_handed_on_whole_however_it_is_cut(cuts: list[int]) -> None:
    async def run() -> None:
        tap, transport = tapped()
        transport.protocol._told = asyncio.get_running_loop().time()
        confirmed = publish(tap, "m1"), publish(tap, "m2")
        others = [
            frame.marshal(Heartbeat(), 0),
            frame.marshal(Queue.DeclareOk("q", 1, 0), OTHERS),
            frame.marshal(Basic.Ack(7), OTHERS),
            frame.marshal(Commands.Close(404, "NOT_FOUND", 60, 40), OURS),
        ]
        said = others[0] + ACK + others[1] + returned("m2", b"12345") + others[2] + frame.marshal(Basic.Ack(2), OURS) + others[3]
        places = sorted({min(sum(cuts[: i + 1]), len(said)) for i in range(len(cuts))} | {0, len(said)})
        for start, end in itertools.pairwise(places):
            transport.protocol.data_received(said[start:end])
        assert transport.handed_on == b"".join(others)
        assert [one.result() for one in confirmed] == [Fate.QUEUED, Fate.RETURNED]

    asyncio.run(run())


async def test_who_listens_beneath_hears_that_the_broker_lives() -> None:
    tap, transport = tapped()
    publish(tap)
    transport.protocol.data_received(ACK)
    assert [(channel, type(one)) for channel, one in frames_of(transport.handed_on)] == [(0, Heartbeat)]
    publish(tap)
    transport.handed_on = b""
    transport.protocol.data_received(frame.marshal(Basic.Ack(2), OURS))
    assert transport.handed_on == b""


async def test_another_protocol_is_left_alone() -> None:
    _, transport = tapped()
    for piece in (b"AMQP\x00\x01", b"\x00\x0a"):
        transport.protocol.data_received(piece)
    assert transport.handed_on == b"AMQP\x00\x01\x00\x0a"


async def test_a_lost_connection_leaves_open_what_was_under_way() -> None:
    tap, transport = tapped()
    under_way, given_up = publish(tap, "m1"), publish(tap, "m2")
    given_up.cancel()
    transport.protocol.connection_lost(None)
    assert isinstance(under_way.exception(), OSError)
    assert transport.lost == [None]
    transport.closing = True
    written = transport.written
    with pytest.raises(OSError):
        publish(tap, "m3")
    assert transport.written == written


async def test_nobody_waits_for_a_confirm_that_comes_late() -> None:
    tap, transport = tapped()
    given_up, other = publish(tap, "m1"), publish(tap, "m2")
    given_up.cancel()
    transport.protocol.data_received(ACK + frame.marshal(Basic.Ack(2), OURS))
    assert other.result() is Fate.QUEUED


async def test_it_is_quiet_when_nothing_is_under_way_or_the_time_is_up() -> None:
    tap, transport = tapped()
    await asyncio.wait_for(tap.quiet(60), 5)
    under_way = publish(tap, "m1")
    await tap.quiet(0.01)
    assert not under_way.done()
    quiet = asyncio.ensure_future(tap.quiet(60))
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(transport.protocol.data_received, ACK)
    await asyncio.wait_for(quiet, 5)
    assert under_way.result() is Fate.QUEUED
