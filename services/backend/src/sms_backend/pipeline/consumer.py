"""
The shell of intake: RabbitMQ's deliveries gathered into batches, committed in one thread, acknowledged after the commit.

Nothing is rejected and nothing is dropped: what cannot be committed now is held, and after `_GIVE_UP` the channels are closed, so that the
broker queues it again. aio-pika's `message.process()` is never used: it rejects on any exception, a time-out of the database too.
"""

import asyncio
import socket
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from uuid import NAMESPACE_DNS, UUID, uuid4, uuid5

import aio_pika
import psycopg
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError
from django.db import Error as DatabaseError

from sms_backend.core import alive
from sms_backend.core.environment import environment
from sms_backend.messages import drain
from sms_backend.pipeline import hints
from sms_backend.pipeline.intake import Delivery, Taken, TooManyBadRowsError, take
from sms_contract import topology

log = structlog.get_logger()

#: What the broker gave up on (dead letters) comes last: it is parked in PostgreSQL, where commands can work on it.
_QUEUES = (*topology.INTAKE_QUEUES, topology.PARKED_QUEUE)
#: AMQP messages that the broker hands out ahead, per queue.
_PREFETCH = 50
#: A transaction takes whole AMQP messages until it has about this many bytes, or has waited this long (seconds).
_BATCH_BYTES = 400_000
_BATCH_WAIT = 0.01
#: For so long (seconds) after a commit of so many messages the next waits up to so many times as often; once, where there is an `otp`.
_BUSY_FOR = 0.1
_BUSY = 20
_BUSY_WAITS = 3
#: After this long without a commit the channels are closed; less than `drain.SILENT`.
_GIVE_UP = 20.0
_PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_BEAT = 1.0


class Held:
    """An unacknowledged delivery."""

    __slots__ = ("message", "queue", "since")

    def __init__(self, queue: str, message: AbstractIncomingMessage) -> None:
        self.queue = queue
        self.message = message
        self.since = time.monotonic()


class Intake:
    """One connection's worth of consuming; made anew when the connection is lost."""

    def __init__(self, instance: UUID, executor: ThreadPoolExecutor) -> None:
        self.instance = instance
        self._executor = executor
        self._waiting: dict[str, deque[Held]] = {queue.name: deque() for queue in _QUEUES}
        self._flight: list[Held] = []
        self._arrival = asyncio.Event()
        self._channels: dict[str, AbstractChannel] = {}

    async def run(self, connection: AbstractConnection, stopping: asyncio.Event) -> None:
        """Consume until told to stop, or until the connection or the database is lost."""
        closed = asyncio.Event()
        connection.close_callbacks.add(lambda *_: closed.set())
        for queue in _QUEUES:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=_PREFETCH)
            self._channels[queue.name] = channel
            await (await channel.get_queue(queue.name, ensure=False)).consume(partial(self._arrived, queue.name))
        log.info("intake.consuming", queues=[queue.name for queue in _QUEUES])
        tasks = [asyncio.create_task(work) for work in (self._store(), self._beat(), stopping.wait(), closed.wait())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _arrived(self, queue: str, message: AbstractIncomingMessage) -> None:
        self._waiting[queue].append(Held(queue, message))
        self._arrival.set()

    async def _store(self) -> None:
        busy_until = float("-inf")
        while True:
            await self._arrival.wait()
            await self._gather(_BUSY_WAITS if time.monotonic() < busy_until else 1)
            self._arrival.clear()
            while self._next_batch():
                taken = await self._commit([_delivery(held) for held in self._flight])
                await self._acknowledge()
                self._hint(taken)
                if taken.stored >= _BUSY:
                    busy_until = time.monotonic() + _BUSY_FOR
                    if self._bytes_waiting() < _BATCH_BYTES and not self._waiting[topology.SUBMISSIONS_OTP]:
                        # What has come meanwhile gathers as the first did.
                        break
            if any(self._waiting.values()):
                self._arrival.set()

    async def _gather(self, waits: int) -> None:
        for _ in range(waits):
            full = self._bytes_waiting() >= _BATCH_BYTES or len(self._waiting[topology.SUBMISSIONS]) >= _PREFETCH
            await asyncio.sleep(0 if full else _BATCH_WAIT)
            if full or self._waiting[topology.SUBMISSIONS_OTP]:
                return

    def _bytes_waiting(self) -> int:
        return sum(len(held.message.body) for queue in self._waiting.values() for held in queue)

    def _next_batch(self) -> bool:
        """Whole messages, the most urgent queue first; of each queue a contiguous run from its oldest."""
        size = 0
        for queue in self._waiting.values():
            while queue and size < _BATCH_BYTES:
                size += len(queue[0].message.body)
                self._flight.append(queue.popleft())
        return bool(self._flight)

    async def _commit(self, deliveries: list[Delivery]) -> Taken:
        loop = asyncio.get_running_loop()
        began = time.monotonic()
        tries = 0
        while True:
            try:
                return await loop.run_in_executor(self._executor, take, deliveries)
            except (psycopg.Error, DatabaseError, TooManyBadRowsError) as error:
                log.error("intake.held", error=type(error).__name__, tries=tries, messages=len(deliveries))
                if time.monotonic() - began > _GIVE_UP:
                    raise
                await asyncio.sleep(_PAUSES[min(tries, len(_PAUSES) - 1)])
                tries += 1

    async def _acknowledge(self) -> None:
        """Up to the last of each queue: all before it, of its channel, has been committed too."""
        last = {held.queue: held.message for held in self._flight}
        for message in last.values():
            await message.ack(multiple=True)
        self._flight.clear()

    def _hint(self, taken: Taken) -> None:
        loop = asyncio.get_running_loop()
        if taken.lanes:
            loop.run_in_executor(_hinting, hints.hint_dispatch, taken.lanes)
        if taken.callbacks:
            loop.run_in_executor(_hinting, hints.hint_receipts)

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            empty = await self._queues_are_empty()
            held = [*self._flight, *(first for queue in self._waiting.values() for first in list(queue)[:1])]
            oldest = min((one.since for one in held), default=None)
            held_for = None if oldest is None else timedelta(seconds=time.monotonic() - oldest)
            say = partial(drain.beat, self.instance, held_for=held_for, empty=empty)
            try:
                await loop.run_in_executor(self._executor, say)
                alive.touch()
            except (psycopg.Error, DatabaseError) as error:
                log.warning("intake.silent", error=type(error).__name__)
            await asyncio.sleep(_BEAT)

    async def _queues_are_empty(self) -> bool:
        for name, channel in self._channels.items():
            if name not in {topology.SUBMISSIONS_OTP, topology.SUBMISSIONS}:
                continue
            answer = await channel.declare_queue(name, passive=True)
            if answer.declaration_result.message_count:
                return False
        return True


#: A channel that has just gone is a `RuntimeError` to aiormq. StopAsyncIteration: aiormq 7.2, where the peer closes a connection that is
#: being made.
_INTERRUPTIONS = (AMQPError, ChannelInvalidStateError, OSError, TimeoutError, StopAsyncIteration)
#: Hints go over another connection, in a thread of their own: a slow broker must not hold up a commit.
_hinting = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hints")


async def consume(stopping: asyncio.Event) -> None:
    """Run intake until `stopping`; reconnects for as long as it takes."""
    instance = _instance()
    tries = 0
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="store") as executor:
        loop = asyncio.get_running_loop()
        while not stopping.is_set():
            try:
                # The connection of whoever had this name before is closed by now: the kernel closes what a process leaves.
                await loop.run_in_executor(executor, drain.join, instance)
                connection = await aio_pika.connect(str(environment.rabbitmq_url), heartbeat=10, timeout=10)
                async with connection:
                    await declare(connection)
                    tries = 0
                    await Intake(instance, executor).run(connection, stopping)
            except (*_INTERRUPTIONS, psycopg.Error, DatabaseError, TooManyBadRowsError) as error:
                log.warning("intake.interrupted", error=type(error).__name__, detail=str(error)[:200])
            if not stopping.is_set():
                await _pause(stopping, _PAUSES[min(tries, len(_PAUSES) - 1)])
                tries += 1
        await loop.run_in_executor(executor, _farewell(instance))


def _instance() -> UUID:
    name = environment.smsgw_intake_instance
    return uuid5(NAMESPACE_DNS, f"{name}.{socket.gethostname()}") if name else uuid4()


async def declare(connection: AbstractConnection) -> None:
    """Make the exchanges and queues that are not there. Raises `aio_pika.exceptions.ChannelPreconditionFailed` where one is otherwise."""
    async with connection.channel() as channel:
        exchanges = {name: await channel.declare_exchange(name, kind, durable=True) for name, kind in topology.EXCHANGES.items()}
        for queue in topology.QUEUES:
            declared = await channel.declare_queue(queue.name, durable=True, arguments=dict(queue.arguments))
            await declared.bind(exchanges[queue.exchange], routing_key=queue.name)


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return


def _delivery(held: Held) -> Delivery:
    message = held.message
    return Delivery(queue=held.queue, body=message.body, message_id=message.message_id or "", headers=dict(message.headers))


def _farewell(instance: UUID) -> Callable[[], None]:
    def leave() -> None:
        try:
            drain.leave(instance)
        except (psycopg.Error, DatabaseError) as error:
            log.warning("intake.left_silently", error=type(error).__name__)

    return leave
