"""Whatever becomes of a try to connect, there is another."""

import asyncio
from contextlib import suppress

import aio_pika
import pytest

from sms_gateway.broker import Broker
from sms_gateway.gateway import revived


async def until(condition) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0)


async def ended(task) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


# aiormq raises the last one out of its own cancelled connect.
@pytest.mark.parametrize("error", [OSError, aio_pika.exceptions.AMQPConnectionError, RuntimeError, TimeoutError, StopAsyncIteration])
async def test_a_connect_that_fails_in_any_way_is_tried_again(monkeypatch, error) -> None:
    tries = []

    async def connect(*_, **__):
        tries.append(1)
        raise error

    monkeypatch.setattr(aio_pika, "connect", connect)
    monkeypatch.setattr(Broker, "PAUSES", (0.0,))
    broker = Broker("amqp://nobody@127.0.0.1:1/none")
    task = asyncio.create_task(broker.keep())
    await until(lambda: len(tries) > 3 or task.done())
    assert not task.done()
    assert broker.down
    assert broker.reason == f"unreachable ({error.__name__})"
    await ended(task)


async def test_a_life_that_a_fault_ends_begins_again(monkeypatch) -> None:
    lives = []
    sleep = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda _seconds: sleep(0))

    async def life() -> None:
        lives.append(1)
        raise LookupError

    task = asyncio.create_task(revived(life))
    await until(lambda: len(lives) > 2 or task.done())
    assert not task.done()
    await ended(task)
