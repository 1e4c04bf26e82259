"""
Publishing on a channel of aiormq's without its queues and tasks.

aiormq makes the connection and keeps it, and all but publishing goes its way. A publish passes a queue and a task there, and its confirm
three of them, each of which waits for its turn of the event loop; under load a turn is milliseconds long. Here a publish is written at
once, and its confirm is heard in the moment in which it comes.

The tap stands between the transport and aiormq's own protocol, takes the confirms and returns of one channel out of what comes, and hands
on everything else. Frames: AMQP 0-9-1, 4.2.3, https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf
"""

import asyncio
import struct
from enum import Enum
from typing import Any, Final, cast

from aiormq import Channel
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from pamqp import frame
from pamqp.commands import Basic
from pamqp.header import ContentHeader
from pamqp.heartbeat import Heartbeat
from yarl import URL

from sms_gateway.prompt import Prompt

_HEAD: Final = struct.Struct(">BHI")  # type, channel, size
_CONFIRM: Final = struct.Struct(">QB")  # delivery tag, flags
_OVERHEAD: Final = _HEAD.size + 1
_END: Final = b"\xce"
_METHOD, _HEADER, _BODY, _HEARTBEAT = 1, 2, 3, 8
_ACK, _NACK, _RETURN = (struct.pack(">HH", 60, method) for method in (80, 120, 50))
#: Told to aiormq for what is taken out: it gives up a connection on which it hears nothing, and the broker says nothing else meanwhile.
_SIGN_OF_LIFE: Final = frame.marshal(Heartbeat(), 0)
_QUIET: Final = 1.0


class Fate(Enum):
    """What the broker says of a publish."""

    QUEUED = "queued"
    REFUSED = "refused"  #: the queue does not take it, or its leader is not to be found
    RETURNED = "returned"  #: there is no queue


class _Publish:
    __slots__ = ("confirmed", "message_id")

    def __init__(self, message_id: str, confirmed: asyncio.Future[Fate]) -> None:
        self.message_id = message_id
        self.confirmed = confirmed


class Tap(asyncio.Protocol):
    """One connection, and what is being published on it."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._beneath: asyncio.Protocol
        self._rest = b""
        #: Whether frames can be told apart: not what a server answers that speaks something else.
        self._speaks = True
        self._channel = -1
        self._piece = 0
        self._publishes: dict[int, _Publish] = {}
        self._tag = 0
        #: Bytes of a returned message that are still to come; None: none is coming back.
        self._returning: int | None = None
        self._told = 0.0

    def attach(self, transport: asyncio.Transport) -> None:
        """Stand before the transport's protocol; nothing may have come yet."""
        self._transport, self._beneath = transport, cast("asyncio.Protocol", transport.get_protocol())
        transport.set_protocol(self)

    def take(self, channel: Channel) -> None:
        """Publish on this channel from now on; nobody else has or does."""
        self._channel = channel.number
        self._piece = channel.max_content_size

    def publish(self, exchange: str, key: str, body: bytes, *, properties: Basic.Properties) -> asyncio.Future[Fate]:
        """
        Publish, `mandatory`. `properties` must have a message id of its own.

        Raises `OSError` where the connection has gone; so does the future, and then nobody knows.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            raise ConnectionError
        assert properties.message_id
        method = Basic.Publish(exchange=exchange, routing_key=key, mandatory=True)
        frames = [frame.marshal(method, self._channel), frame.marshal(ContentHeader(0, len(body), properties), self._channel)]
        for start in range(0, len(body), self._piece):
            piece = body[start : start + self._piece]
            frames += (_HEAD.pack(_BODY, self._channel, len(piece)), piece, _END)
        self._tag += 1
        publish = self._publishes[self._tag] = _Publish(properties.message_id, Prompt())
        transport.write(b"".join(frames))
        return publish.confirmed

    async def quiet(self, seconds: float) -> None:
        """Wait until nothing is under way any more, and no longer than this; nobody may publish meanwhile."""
        under_way = [publish.confirmed for publish in self._publishes.values() if not publish.confirmed.done()]
        if under_way:
            await asyncio.wait(under_way, timeout=seconds)

    def lose(self) -> None:
        """Nothing more will be heard of what is under way."""
        publishes, self._publishes = self._publishes, {}
        for publish in publishes.values():
            if not publish.confirmed.done():
                publish.confirmed.set_exception(ConnectionError())

    def data_received(self, data: bytes) -> None:
        if not self._speaks:
            self._beneath.data_received(data)
            return
        if self._rest:
            data = self._rest + data
        start, others, taken = 0, [], False
        while len(data) - start >= _OVERHEAD:
            kind, channel, size = _HEAD.unpack_from(data, start)
            if not (_METHOD <= kind <= _BODY or kind == _HEARTBEAT):
                self._speaks = False
                others.append(data[start:])
                start = len(data)
                break
            end = start + _OVERHEAD + size
            if end > len(data):
                break
            if channel == self._channel and self._is_taken(kind, data[start:end]):
                taken = True
            else:
                others.append(data[start:end])
            start = end
        self._rest = data[start:]
        now = asyncio.get_running_loop().time()
        if taken and not others and now - self._told >= _QUIET:
            others.append(_SIGN_OF_LIFE)
        if others:
            self._told = now
            self._beneath.data_received(b"".join(others))

    def connection_lost(self, exc: Exception | None) -> None:
        self.lose()
        self._beneath.connection_lost(exc)

    def eof_received(self) -> bool | None:
        return self._beneath.eof_received()

    def pause_writing(self) -> None:
        self._beneath.pause_writing()

    def resume_writing(self) -> None:
        self._beneath.resume_writing()

    def _is_taken(self, kind: int, data: bytes) -> bool:
        """Whether a frame of our channel is about what is published on it; then it is heard here."""
        if kind == _METHOD:
            method = data[_HEAD.size : _HEAD.size + 4]
            if method in {_ACK, _NACK}:
                tag, flags = _CONFIRM.unpack_from(data, _HEAD.size + 4)
                self._confirm(tag, multiple=bool(flags & 1), fate=Fate.QUEUED if method == _ACK else Fate.REFUSED)
            elif method == _RETURN:
                self._returning = 0
            return method in {_ACK, _NACK, _RETURN}
        if self._returning is None:
            return False
        if kind == _HEADER:
            _, _, header = frame.unmarshal(data)
            assert isinstance(header, ContentHeader)
            self._return(header.properties.message_id)
            self._returning = header.body_size
        else:
            self._returning -= len(data) - _OVERHEAD
        if self._returning <= 0:
            self._returning = None
        return True

    def _confirm(self, tag: int, *, multiple: bool, fate: Fate) -> None:
        tags = [one for one in self._publishes if one <= tag] if multiple else [tag]
        for one in tags:
            publish = self._publishes.pop(one, None)
            if publish is not None and not publish.confirmed.done():
                publish.confirmed.set_result(fate)

    def _return(self, message_id: str | None) -> None:
        # Its confirm follows, which says that it was taken care of: by returning it.
        for publish in list(self._publishes.values()):
            if publish.message_id == message_id and not publish.confirmed.done():
                publish.confirmed.set_result(Fate.RETURNED)


class Tapping(TransportFactory):
    """Makes the connection as aiormq does, with a tap on it."""

    def __init__(self, tap: Tap) -> None:
        self._tap = tap

    async def create(self, url: URL, **kwargs: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        factory = TLSTransportFactory() if url.scheme == "amqps" else TCPTransportFactory()
        reader, writer = await factory.create(url, **kwargs)
        self._tap.attach(cast("asyncio.Transport", writer.transport))
        return reader, writer
