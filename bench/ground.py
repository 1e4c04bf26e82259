"""The benchmark's own ground: a virtual host without consumers and a Redis database, filled as Server B would fill it."""

import asyncio
import hmac
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

import aio_pika
import msgspec
from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import AMQPError
from redis import Redis
from redis.exceptions import RedisError

from bench.errors import BenchError, Unprepared
from sms_contract import keyspace, topology
from sms_contract.envelope import decode_envelope, decode_submission
from sms_contract.keyspace import ClientRecord, KeyRecord, ProviderRecord

VHOST = "bench"
DATABASE = 15
_OURS = "bench:ours"  #: stands in the database while a benchmark has it, also one that was killed
_CLIENT = "bench"
#: Far above what can be reached, and still checked and charged at every request.
_PER_SECOND = 1_000_000
_PER_DAY = 1_000_000_000
_DRAIN_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Where the benchmark's gateway stands."""

    rabbitmq_url: str
    redis_url: str
    pepper: str = field(default_factory=lambda: secrets.token_hex(32))
    key_id: str = field(default_factory=lambda: secrets.token_hex(6))
    secret: str = field(default_factory=lambda: secrets.token_hex(24))

    @property
    def key(self) -> str:
        """What the clients present."""
        return f"sgw_live_{self.key_id}_{self.secret}"

    def queued(self) -> tuple[int, int]:
        """Take everything out of the queue: how many submissions there were, and how many tracking ids."""
        return asyncio.run(_take_all(self.rabbitmq_url))


@contextmanager
def prepared(rabbitmq_url: str, redis_url: str) -> Iterator[Ground]:
    """Made ready, and left as if nothing had been."""
    ground = Ground(rabbitmq_url=_with_path(rabbitmq_url, VHOST), redis_url=_with_path(redis_url, str(DATABASE)))
    try:
        with Redis.from_url(ground.redis_url) as redis:
            if redis.dbsize() and not redis.exists(_OURS):
                raise Unprepared(f"Redis database {DATABASE} is not empty, and what is in it is not the benchmark's.")
            redis.flushdb()
            try:
                _remove_queues(ground.rabbitmq_url)
                _fill(redis, ground)
                yield ground
            finally:
                redis.flushdb()
                _remove_queues(ground.rabbitmq_url)
    except RedisError as error:
        raise Unprepared(f"Redis database {DATABASE} cannot be used: {error}.") from error
    except AMQPError as error:
        raise Unprepared(f"RabbitMQ's virtual host {VHOST!r} cannot be used: {error}.") from error


def _fill(redis: "Redis", ground: Ground) -> None:
    encode = msgspec.json.encode
    digest = hmac.digest(ground.pepper.encode(), ground.secret.encode(), "sha256").hex()
    key = KeyRecord(hash=digest, client=_CLIENT, mode="live", scopes=["messages:send", "messages:read", "account:read"])
    client = ClientRecord(id=_CLIENT, name=_CLIENT, daily_limit=_PER_DAY, rate=_PER_SECOND, burst=_PER_SECOND)
    run_id = redis.info("server")["run_id"]
    redis.set(_OURS, 1)
    redis.set(keyspace.api_key(ground.key_id), encode(key))
    redis.set(keyspace.PROVIDERS, encode([ProviderRecord(slug="bench", active=True, callback_hash="0" * 64)]))
    redis.set(keyspace.client(_CLIENT), encode(client))
    redis.hset(keyspace.MARKER, mapping={"admit": run_id, "statuses": run_id})


async def _take_all(url: str) -> tuple[int, int]:
    entries: list[str] = []
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=500)
        queue = await channel.declare_queue(topology.SUBMISSIONS, passive=True)
        left = queue.declaration_result.message_count or 0
        done = asyncio.Event()

        async def take(message: AbstractIncomingMessage) -> None:
            nonlocal left
            envelope = decode_envelope(message.body)
            entries.extend(decode_submission(entry, envelope.defaults).tracking_id for entry in envelope.entries)
            left -= 1
            if left % 100 == 0:
                await message.ack(multiple=True)
            if left == 0:
                done.set()

        if left:
            await queue.consume(take)
            try:
                async with asyncio.timeout(_DRAIN_SECONDS):
                    await done.wait()
            except TimeoutError:
                raise BenchError(f"The queue says that it holds {left} messages more, and does not hand them out.") from None
    return len(entries), len(set(entries))


def _remove_queues(url: str) -> None:
    asyncio.run(_remove(url))


async def _remove(url: str) -> None:
    async with await aio_pika.connect(url, timeout=5) as connection, connection.channel() as channel:
        for queue in topology.QUEUES:
            await channel.queue_delete(queue.name)
        for exchange in topology.EXCHANGES:
            await channel.exchange_delete(exchange)


def _with_path(url: str, path: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{path}"))
