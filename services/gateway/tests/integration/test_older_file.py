"""A real Redis that comes back with an older file between a try and its repeat."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from sms_contract import keyspace


class OwnRedis:
    """A Redis of this test's alone, which can be killed and started with another file."""

    def __init__(self, folder) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder = folder
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, client: Redis) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", "", "--appendonly", "no"]
        self._process = await asyncio.create_subprocess_exec("redis-server", *options, stdout=asyncio.subprocess.DEVNULL)
        async with asyncio.timeout(20):
            while True:
                try:
                    await client.ping()
                except RedisConnectionError:  # nobody listens yet, or the file is still being read
                    await asyncio.sleep(0.05)
                else:
                    return

    async def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None


@pytest.fixture
async def own(tmp_path) -> AsyncIterator[tuple[OwnRedis, Redis]]:
    server = OwnRedis(tmp_path)
    client = Redis.from_url(server.url)
    await server.start(client)
    yield server, client
    await client.aclose()
    await server.kill()


async def test_what_an_older_file_knows_is_believed_only_after_it_was_made_right(own, rabbitmq_url, start, system) -> None:
    server, client = own
    async with start(redis=client, redis_url=server.url) as gateway:
        await gateway.fill()
        await gateway.add_client(daily_limit=100)
        await gateway.is_ready()
        before = await gateway.send("before")

        async def is_done() -> bool:
            return not await client.zcard(keyspace.pending("c1"))

        await gateway.until(is_done)
        await client.save()
        kept = server.folder / "kept.rdb"
        shutil.copy(server.folder / "dump.rdb", kept)
        lost = await gateway.send("lost")
        assert [answer.status_code for answer in (before, lost)] == [202, 202]
        assert await gateway.used() == 2

        await server.kill()
        shutil.copy(kept, server.folder / "dump.rdb")
        await server.start(client)
        # The file has keys, a client and a marker: of another run of Redis. Nothing of it counts, and no second charge begins.
        gateway.forget()
        for key in ("before", "lost", "new"):
            refused = await gateway.send(key)
            assert (refused.status_code, refused.json()["code"]) == (503, "cache.unavailable")
        unknown = await gateway.get(f"/v1/messages/{lost.json()['tracking_id']}")
        assert unknown.status_code == 503
        assert await gateway.used() == 1
        await gateway.is_ready(ready=False)

        # Server B sets the counter to what is stored, and writes the marker last.
        (counter,) = await client.keys(keyspace.quota("c1", "*").replace("{", r"\{"))
        await client.set(counter, 2)
        await gateway.mark()
        await gateway.is_ready()
        replay = await gateway.send("before")
        assert (replay.content, replay.headers["idempotent-replayed"]) == (before.content, "true")
        again = await gateway.send("lost")
        assert again.status_code == 202
        assert "idempotent-replayed" not in again.headers
        queued = [each for each in await gateway.queued() if each.idempotency == keyspace.idempotency_digest("live", "lost")]
        # Two ids of one key and one request: Server B makes the second an alias of the first, and gives its charge back.
        assert [each.tracking_id for each in queued] == [lost.json()["tracking_id"], again.json()["tracking_id"]]
        assert len({(each.fingerprint, each.idempotency) for each in queued}) == 1
        assert {each.charged_day for each in queued} == {counter.decode().rpartition(":")[2]}
        assert await gateway.used() == 3
