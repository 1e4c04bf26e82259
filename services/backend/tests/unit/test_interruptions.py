"""Whatever becomes of intake's connection, it makes another one."""

import asyncio

import aio_pika
import pytest
from aio_pika.exceptions import AMQPConnectionError, ChannelInvalidStateError

from sms_backend.pipeline import consumer


# aiormq raises the last two out of its own protocol: for a channel that has just gone, and out of a connect that is broken off.
@pytest.mark.parametrize("error", [OSError, AMQPConnectionError, TimeoutError, ChannelInvalidStateError, StopAsyncIteration])
async def test_it_connects_anew(monkeypatch, error):
    stopping, tries = asyncio.Event(), []

    async def connect(*_, **__):
        tries.append(1)
        if len(tries) == 3:
            stopping.set()
        raise error

    monkeypatch.setattr(aio_pika, "connect", connect)
    monkeypatch.setattr(consumer, "_PAUSES", (0.0,))
    monkeypatch.setattr(consumer.drain, "join", lambda _instance: None)
    monkeypatch.setattr(consumer, "_farewell", lambda _instance: lambda: None)
    async with asyncio.timeout(10):
        await consumer.consume(stopping)
    assert len(tries) == 3
