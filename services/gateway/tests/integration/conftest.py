"""A whole gateway in the process, before a real Redis and a real RabbitMQ, each behind a proxy that can be cut or made to hang."""

import asyncio
import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aio_pika
import httpx
import msgspec
import pytest
import uvicorn
from redis.asyncio import Redis
from uvicorn.server import ServerState

from sms_contract import keyspace, topology
from sms_contract.envelope import Submission, decode_envelope, decode_submission
from sms_contract.keyspace import ClientRecord, KeyRecord, ProviderRecord
from sms_gateway import main
from sms_gateway.observability import logs
from sms_gateway.protocol import Protocol
from sms_gateway.settings import Settings

PEPPER = "p" * 32
SECRET = "s3cret_with_underscores"
SCOPES = ["account:read", "messages:read", "messages:send"]
GOOD = {"to": "+447911123456", "text": "a text that no log may hold"}


@pytest.fixture(scope="session", autouse=True)
def _own_logs() -> None:
    """Tests of the other server may have set the logs up in this process: a logger keeps what it finds at its first event."""
    logs.configure("INFO")


class Proxy:
    """Forwards TCP to a service, until it is told otherwise."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._answering = asyncio.Event()
        self._answering.set()
        self.sent: list[bytes] = []  #: to the service, since a test has emptied it
        self.port = 0

    @property
    def url(self) -> str:
        credentials, at, _ = self._parts.netloc.rpartition("@")
        return urlunsplit(self._parts._replace(netloc=f"{credentials}{at}127.0.0.1:{self.port}"))

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """The service is gone: connections break, new ones are refused."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0)

    def hang(self) -> None:
        """Nothing passes any more, and nobody is told."""
        self._flowing.clear()

    def mute(self) -> None:
        """What is sent arrives; no answer comes back."""
        self._answering.clear()

    def resume(self) -> None:
        self._flowing.set()
        self._answering.set()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        there = self._pump(reader, far_writer, (self._flowing,), self.sent)
        back = self._pump(far_reader, writer, (self._flowing, self._answering))
        await asyncio.gather(there, back)
        self._writers -= {writer, far_writer}

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gates: tuple[asyncio.Event, ...], copy: list[bytes] | None = None
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                for gate in gates:
                    await gate.wait()
                if copy is not None:
                    copy.append(data)
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


class System:
    """A gateway, a client of it, and hands on what it depends on."""

    def __init__(self, *, http: httpx.AsyncClient, redis: Redis, cache: Proxy, broker: Proxy, app: Any, amqp_url: str) -> None:
        self.http = http
        self.redis = redis
        self.cache = cache
        self.broker = broker
        self.gateway = app._app.state.gateway
        self._app = app
        self._amqp_url = amqp_url

    async def add_key(self, key_id: str = "live1", *, mode: str = "live", client: str = "c1", **fields: Any) -> str:
        digest = hmac.digest(PEPPER.encode(), SECRET.encode(), "sha256").hex()
        record = KeyRecord(**({"hash": digest, "client": client, "mode": mode, "scopes": SCOPES} | fields))
        await self.redis.set(keyspace.api_key(key_id), msgspec.json.encode(record))
        return f"sgw_{mode}_{key_id}_{SECRET}"

    async def add_client(self, client: str = "c1", **fields: Any) -> None:
        await self.redis.set(keyspace.client(client), msgspec.json.encode(ClientRecord(id=client, name="One", **fields)))
        self.forget()

    async def add_providers(self, *records: ProviderRecord) -> None:
        await self.redis.set(keyspace.PROVIDERS, msgspec.json.encode(list(records)))
        self.forget()

    async def mark(self, **fields: str) -> None:
        run_id = (await self.redis.info("server"))["run_id"]
        await self.redis.hset(keyspace.MARKER, mapping={"admit": run_id, "statuses": run_id} | fields)

    async def fill(self) -> None:
        """What Server B would write."""
        await self.add_key()
        await self.add_key("test1", mode="test")
        await self.add_client()
        await self.add_providers(
            ProviderRecord(slug="alpha", active=True, callback_hash=hashlib.sha256(b"token").hexdigest()),
            ProviderRecord(slug="off", active=False),
            ProviderRecord(slug="test", active=True, test=True),
        )
        await self.mark()

    def forget(self) -> None:
        """Spare a test the two seconds for which records are kept."""
        self.gateway.directory._principals.clear()
        self.gateway.directory._providers.read_at = float("-inf")

    async def send(self, key: str | None = None, *, api_key: str = f"sgw_live_live1_{SECRET}", **fields: Any) -> httpx.Response:
        headers = {"API-Key": api_key, "Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return await self.http.post("/v1/messages", headers=headers, content=json.dumps(GOOD | fields))

    async def get(self, path: str, *, api_key: str = f"sgw_live_live1_{SECRET}") -> httpx.Response:
        return await self.http.get(path, headers={"API-Key": api_key})

    async def used(self, client: str = "c1") -> int:
        keys = await self.redis.keys(keyspace.quota(client, "*"))
        return sum([int(await self.redis.get(key)) for key in keys])

    async def traces(self, client: str = "c1") -> set[str]:
        """Every reservation, idempotency pointer and pending entry there is."""
        prefix = keyspace.client_prefix(client)
        keys = [key.decode() for kind in ("r:*", "i:*", "p") for key in await self.redis.keys(prefix.replace("{", r"\{") + kind)]
        return {key.removeprefix(prefix) for key in keys}

    @staticmethod
    def raw(
        key: str | None = None, *, method: str = "POST", path: str = "/v1/messages", body: bytes | None = None, **headers: str
    ) -> bytes:
        """A request as it goes over the wire."""
        body = json.dumps(GOOD).encode() if body is None else body
        fields = {"Host": "gateway.test", "API-Key": f"sgw_live_live1_{SECRET}", "Content-Type": "application/json"}
        fields |= {"Idempotency-Key": key} if key is not None else {}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        if "Transfer-Encoding" not in fields and "Content-Length" not in fields:
            fields["Content-Length"] = str(len(body))
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body

    @contextlib.asynccontextmanager
    async def served(self, **app_state: Any) -> AsyncIterator[tuple[tuple[str, int], ServerState]]:
        """The gateway behind Uvicorn, for real sockets: its address, and what Uvicorn knows of its connections."""
        config = uvicorn.Config(self._app, ws="none", lifespan="off", log_config=None, access_log=False)
        config.load()
        state = ServerState()
        server = await asyncio.get_running_loop().create_server(lambda: Protocol(config, state, app_state), "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[:2], state
        finally:
            server.close()
            for connection in list(state.connections):
                connection.transport.abort()
            await self.until(lambda: not state.connections)

    @contextlib.asynccontextmanager
    async def sending(self, key: str) -> AsyncIterator[Callable[[], Any]]:
        """Send a message to the gateway behind Uvicorn; hands out how to go away, and waits until the server has noticed."""
        async with self.served() as (address, state):
            _, writer = await asyncio.open_connection(*address)

            async def leave() -> None:
                writer.transport.abort()
                await self.until(lambda: not state.connections)

            writer.write(self.raw(key))
            try:
                yield leave
            finally:
                await leave()

    async def queued(self, queue: str = topology.SUBMISSIONS) -> list[Submission]:
        """Take everything out of a queue."""
        connection = await aio_pika.connect(self._amqp_url)
        try:
            channel = await connection.channel()
            source = await channel.get_queue(queue, ensure=False)
            found: list[Submission] = []
            while (message := await source.get(fail=False)) is not None:
                await message.ack()
                envelope = decode_envelope(message.body)
                assert (message.type, message.delivery_mode) == (envelope.type, aio_pika.DeliveryMode.PERSISTENT)
                found += [decode_submission(entry, envelope.defaults) for entry in envelope.entries]
            return found
        finally:
            await connection.close()

    async def topology(self, change: Callable[[Any], Any]) -> None:
        """Do something to the broker, on a channel of its own."""
        connection = await aio_pika.connect(self._amqp_url)
        try:
            await change(await connection.channel())
        finally:
            await connection.close()

    async def until(self, condition: Callable[[], Any], seconds: float = 20) -> None:
        """Wait until something has become true."""
        async with asyncio.timeout(seconds):
            while True:
                result = condition()
                if await result if asyncio.iscoroutine(result) else result:
                    return
                await asyncio.sleep(0.02)

    async def is_ready(self, *, ready: bool = True) -> None:
        async def check() -> bool:
            return ((await self.http.get("/readyz")).status_code == 200) is ready

        await self.until(check)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_url)
    await client.flushdb()
    yield client
    await client.aclose()


@contextlib.asynccontextmanager
async def running(redis: Redis, redis_url: str, rabbitmq_url: str, **settings: Any) -> AsyncIterator[System]:
    cache, broker = Proxy(redis_url), Proxy(rabbitmq_url)
    await cache.open()
    await broker.open()
    values = {"REDIS_URL": cache.url, "RABBITMQ_URL": broker.url, "PUBLIC_BASE_URL": "http://gateway.test", "key_pepper": PEPPER}
    app = main.build(Settings(**(values | settings)))
    gateway = app._app.state.gateway  # type: ignore[attr-defined]
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    try:
        async with gateway.running(), httpx.AsyncClient(transport=transport, base_url="http://gateway.test", timeout=10) as http:
            yield System(http=http, redis=redis, cache=cache, broker=broker, app=app, amqp_url=rabbitmq_url)
    finally:
        cache.resume()
        broker.resume()
        await cache.cut()
        await broker.cut()


@pytest.fixture
def start(redis: Redis, redis_url: str, rabbitmq_url: str) -> Callable[..., Any]:
    """Start a gateway, before the Redis of the tests or another one; nothing is filled and nothing awaited."""
    usual = {"redis": redis, "redis_url": redis_url}
    return lambda **settings: running(rabbitmq_url=rabbitmq_url, **(usual | settings))


@pytest.fixture
async def system(start: Callable[..., Any]) -> AsyncIterator[System]:
    """A gateway that is ready, with empty queues."""
    async with start() as system:
        await system.fill()
        await system.is_ready()
        for queue in topology.INTAKE_QUEUES:
            await system.topology(lambda channel, name=queue.name: _purge(channel, name))
        yield system


async def _purge(channel: Any, name: str) -> None:
    queue = await channel.get_queue(name, ensure=False)
    await queue.purge()
