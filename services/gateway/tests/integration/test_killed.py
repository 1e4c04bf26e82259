"""
The gateway killed (KILL) at each step of a submission, as a process of its own between proxies that hold it there.

Whatever step it was: the repeat gets the same message, it is charged once, and all that is queued is one message.
"""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import aio_pika
import httpx
import pytest

from sms_contract import keyspace, topology

STEPS = ("before reserving", "reserving", "before publishing", "publishing", "before finishing")


@dataclass
class Victim:
    """A gateway's process, and what stands between it and the services."""

    process: asyncio.subprocess.Process
    http: httpx.AsyncClient
    cache: Any
    broker: Any


@contextlib.asynccontextmanager
async def another(system: Any, redis_url: str, rabbitmq_url: str) -> AsyncIterator[Victim]:
    cache, broker = type(system.cache)(redis_url), type(system.broker)(rabbitmq_url)
    await cache.open()
    await broker.open()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "REDIS_URL": cache.url,
        "RABBITMQ_URL": broker.url,
        "PUBLIC_BASE_URL": "http://gateway.test",
        "SMSGW_KEY_PEPPER": "p" * 32,
        "SMSGW_GATEWAY_PORT": str(port),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sms_gateway", env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as http:

            async def is_ready() -> bool:
                with contextlib.suppress(httpx.HTTPError):
                    return (await http.get("/readyz")).status_code == 200
                return False

            await system.until(is_ready, seconds=50)
            yield Victim(process, http, cache, broker)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        # What is held goes down with the connections.
        await cache.cut()
        await broker.cut()
        cache.resume()
        broker.resume()


async def depth(system: Any) -> int:
    found: list[int] = []

    async def count(channel: aio_pika.abc.AbstractChannel) -> None:
        declared = await channel.declare_queue(topology.SUBMISSIONS, passive=True)
        found.append(declared.declaration_result.message_count or 0)

    await system.topology(count)
    return found[0]


async def send(http: httpx.AsyncClient, api_key: str) -> httpx.Response | None:
    """None: it was killed before it could answer."""
    headers = {"API-Key": api_key, "Idempotency-Key": "k"}
    with contextlib.suppress(httpx.HTTPError):
        return await http.post("/v1/messages", headers=headers, json={"to": "+447911123456", "text": "once"})
    return None


@pytest.mark.parametrize("step", STEPS)
async def test_killed_at_any_step_it_leaves_one_message_charged_once(system, redis_url, rabbitmq_url, step: str) -> None:
    api_key = await system.add_key()
    async with another(system, redis_url, rabbitmq_url) as victim:
        # It knows the key, so that what it asks Redis next is about the message.
        assert (await victim.http.get("/v1/account", headers={"API-Key": api_key})).status_code == 200
        assert (
            await victim.http.post("/v1/messages", headers={"API-Key": api_key}, json={"to": "+15005550006", "text": "x", "dry_run": True})
        ).status_code == 200
        hold: dict[str, Callable[[], None]] = {
            "before reserving": victim.cache.hang,
            "reserving": victim.cache.mute,
            "before publishing": victim.broker.hang,
            "publishing": victim.broker.mute,
            "before finishing": victim.broker.mute,
        }
        hold[step]()
        first = asyncio.create_task(send(victim.http, api_key))

        async def reserved() -> bool:
            return bool(await system.redis.exists(keyspace.pending("c1")))

        async def published() -> bool:
            return await depth(system) == 1

        if step == "before reserving":
            await asyncio.sleep(0.2)
        elif step in {"reserving", "before publishing"}:
            await system.until(reserved)
        else:
            await system.until(published)
        if step == "before finishing":
            victim.cache.hang()
            victim.broker.resume()
            await asyncio.wait({first})
        victim.process.kill()
        await victim.process.wait()
        answered = await first
    assert (answered is not None) is (step == "before finishing")
    assert await reserved() is (step != "before reserving")
    assert await depth(system) == (1 if step in {"publishing", "before finishing"} else 0)

    again = await send(system.http, api_key)
    if step != "before reserving":
        # Whoever died had 3.5 seconds: until then it may still be at it.
        assert (again.status_code, again.json()["code"]) == (409, "idempotency.in_progress")
        assert 1 <= int(again.headers["retry-after"]) <= 4

        async def taken_over() -> bool:
            nonlocal again
            again = await send(system.http, api_key)
            return again.status_code == 202

        await system.until(taken_over)
    assert again.status_code == 202
    if answered is not None:
        assert (answered.status_code, answered.content) == (202, again.content)
    replay = await send(system.http, api_key)
    assert (replay.content, replay.headers["idempotent-replayed"]) == (again.content, "true")
    queued = await system.queued()
    # Published twice where nobody could know; the same message both times, which is stored once.
    assert len(queued) == (2 if step in {"publishing", "before finishing"} else 1)
    assert {(each.tracking_id, each.fingerprint) for each in queued} == {(again.json()["tracking_id"], queued[0].fingerprint)}
    assert await system.used() == 1
    assert await system.redis.zcard(keyspace.pending("c1")) == 0


async def test_a_real_process_has_its_time_limit_from_its_settings(system, redis_url, rabbitmq_url, monkeypatch) -> None:
    monkeypatch.setenv("SMSGW_GATEWAY_READ_TIMEOUT", "1")
    async with another(system, redis_url, rabbitmq_url) as victim:
        reader, writer = await asyncio.open_connection(victim.http.base_url.host, victim.http.base_url.port)
        writer.write(b"POST /v1/messages HTTP/1.1\r\nHost: a\r\n")
        async with asyncio.timeout(20):
            assert (await reader.read(13)) == b"HTTP/1.1 408 "
        writer.close()
        assert (await victim.http.get("/healthz")).status_code == 200
