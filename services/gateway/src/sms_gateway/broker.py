"""
RabbitMQ: one connection for publishing, which makes itself anew whenever it is lost or stuck, and proves itself before it is used.

States: *connecting* (a publish may wait for it), *up*, *down* (the last try failed: a publish is refused at once). Three publishes in a row
that time out mean that the broker hangs or blocks us, which it never says: then the connection is given up, and down stays down until a
probe publish has come back. The probe goes to a routing key that nobody has bound, so that it is returned and leaves nothing behind.

A queue that refuses all that is published is full, or the broker has lost sight of its leader on this channel alone and would go on so:
that is cured by another channel. So the connection is changed then (`refusals`); what is under way on the old one is heard to its end.
"""

import asyncio
from contextlib import suppress
from enum import Enum
from typing import Any, Final

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPError
from aiormq import Channel as Underlay
from pamqp.commands import Basic
from pamqp.exceptions import PAMQPException

from sms_contract import topology
from sms_contract.envelope import CONTENT_TYPE
from sms_gateway.entropy import entropy
from sms_gateway.refusals import Refusals
from sms_gateway.tap import Fate, Tap, Tapping

log = structlog.get_logger()

PROBE_KEY: Final = "sms.probe"

#: aiormq 7.2 ends its own connect with `StopAsyncIteration` where the peer takes a connection and closes it at once, as a proxy before a
#: dead broker does.
_ERRORS = (AMQPError, PAMQPException, OSError, RuntimeError, StopAsyncIteration)


class Confirmation(Enum):
    """What is known about a publish."""

    CONFIRMED = "confirmed"  #: durably queued
    NOT_QUEUED = "not_queued"  #: certainly not: refused, returned, or never written
    UNCONFIRMED = "unconfirmed"  #: nobody knows


class _Connection(aio_pika.Connection):
    """aio-pika's, with a tap on it, by which all publishing goes."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.tap = Tap()
        self.kwargs["transport_factory"] = Tapping(self.tap)


class Broker:
    """The publishing side of RabbitMQ."""

    TIMEOUTS = 3  #: in a row, before the connection is given up
    CONNECT_TIMEOUT = 3.0
    PAUSES = (0.2, 0.5, 1.0)  #: between tries
    LAST_WORDS = 1.0  #: seconds in which what is under way may still be confirmed where the connection is changed

    def __init__(self, url: str) -> None:
        self._url = url
        self._tap: Tap | None = None
        #: The channel that the tap publishes on, which hears of its end.
        self._owner: AbstractChannel | None = None
        self._changed = asyncio.Event()
        self._lost = asyncio.Event()
        self._timeouts = 0
        self._refusals = Refusals()
        self.down = False
        self.reason = "connecting"
        #: What could not be declared, in words; publishing goes on, `mandatory` catches what has no queue.
        self.topology_warning: str | None = None

    @property
    def up(self) -> bool:
        return self._tap is not None

    async def publish(self, queue: str, body: bytes, *, kind: str, deadline: float) -> Confirmation:
        """Publish an envelope, and wait for its confirm until a deadline by the clock of the loop."""
        tap: Tap | None = None
        try:
            async with asyncio.timeout_at(deadline):
                tap = self._tap or await self._usable()
                if tap is None:
                    return Confirmation.NOT_QUEUED
                fate = await _publish(tap, queue, body, kind=kind)
        except TimeoutError:
            if tap is None:
                return Confirmation.NOT_QUEUED
            self._timed_out(tap)
            return Confirmation.UNCONFIRMED
        except OSError:
            return Confirmation.UNCONFIRMED
        self._timeouts = 0
        if self._refusals.heard(queue, refused=fate is Fate.REFUSED) and tap is self._tap:
            self._change(queue)
        return Confirmation.CONFIRMED if fate is Fate.QUEUED else Confirmation.NOT_QUEUED

    async def keep(self) -> None:
        """Connect, stay connected, connect again; run as a task."""
        failures = 0
        while True:
            connection: _Connection | None = None
            self._lost = asyncio.Event()
            try:
                async with asyncio.timeout(self.CONNECT_TIMEOUT):
                    made = await aio_pika.connect(self._url, heartbeat=10, timeout=self.CONNECT_TIMEOUT, connection_class=_Connection)
                    assert isinstance(made, _Connection)
                    connection = made
                    await self._prepare(connection)
            except _ERRORS as error:
                failures += 1
                self._becomes(None, down=True, reason=f"unreachable ({type(error).__name__})")
            else:
                failures = 0
                self._becomes(connection.tap, down=False, reason="ok")
                await self._lost.wait()
                await connection.tap.quiet(self.LAST_WORDS)
            finally:
                if connection is not None:
                    await _abandon(connection)
            await asyncio.sleep(self.PAUSES[min(failures, len(self.PAUSES)) - 1] if failures else 0)

    async def _usable(self) -> Tap | None:
        while self._tap is None and not self.down:
            await self._changed.wait()
        return self._tap

    async def _prepare(self, connection: _Connection) -> None:
        warnings = await declare(connection)
        self.topology_warning = "; ".join(warnings) or None
        if warnings:
            log.warning("broker.topology", reason=self.topology_warning)
        channel: AbstractChannel = await connection.channel(publisher_confirms=True)
        underlay = await channel.get_underlay_channel()
        assert isinstance(underlay, Underlay)
        connection.tap.take(underlay)
        # Returned, as it should be: the broker works through what we publish.
        await _publish(connection.tap, PROBE_KEY, b"", kind="probe")
        self._owner = channel
        channel.close_callbacks.add(self._closed)
        connection.close_callbacks.add(self._closed)

    def _closed(self, *_: object) -> None:
        self._lose("connection lost")

    def _timed_out(self, tap: Tap) -> None:
        if tap is not self._tap:
            return  # one that has been given up already
        self._timeouts += 1
        if self._timeouts >= self.TIMEOUTS:
            log.warning("broker.stuck", timeouts=self._timeouts)
            self._lose("no confirms", down=True)

    def _change(self, queue: str) -> None:
        log.warning("broker.refuses", queue=queue)
        self._becomes(None, down=False, reason="changing the connection")
        self._lost.set()

    def _lose(self, reason: str, *, down: bool = False) -> None:
        if self._tap is not None:
            self._tap.lose()
            self._becomes(None, down=down, reason=reason)
            self._lost.set()

    def _becomes(self, tap: Tap | None, *, down: bool, reason: str) -> None:
        if (tap is not None) != self.up or reason != self.reason:
            log.info("broker.up" if tap is not None else "broker.lost", reason=reason)
        self._tap, self.down, self.reason = tap, down, reason
        self._timeouts = 0
        self._changed.set()
        self._changed = asyncio.Event()


def _publish(tap: Tap, key: str, body: bytes, *, kind: str) -> asyncio.Future[Fate]:
    properties = Basic.Properties(
        content_type=CONTENT_TYPE,
        message_type=kind,
        delivery_mode=2,
        # Random, not ours: returned messages are matched to publishes by it.
        message_id=entropy(16).hex(),
    )
    return tap.publish(topology.EXCHANGE, key, body, properties=properties)


async def declare(connection: AbstractConnection) -> list[str]:
    """Declare exchanges and queues as both servers know them; what the broker refuses is returned in words."""
    warnings: list[str] = []
    for name, kind in topology.EXCHANGES.items():
        try:
            channel = await connection.channel()
            await channel.declare_exchange(name, kind, durable=True)
            await channel.close()
        except AMQPError as error:
            warnings.append(f"exchange {name}: {type(error).__name__}")
    for queue in topology.QUEUES:
        try:
            channel = await connection.channel()
            declared = await channel.declare_queue(queue.name, durable=True, arguments=dict(queue.arguments))
            await declared.bind(queue.exchange, queue.name)
            await channel.close()
        except AMQPError as error:
            warnings.append(f"queue {queue.name}: {type(error).__name__}")
    return warnings


async def _abandon(connection: AbstractConnection) -> None:
    # A broker that hangs never answers a close: the socket is closed all the same when the time is up.
    with suppress(*_ERRORS):
        async with asyncio.timeout(0.5):
            await connection.close()
