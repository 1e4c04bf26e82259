"""
Redis: a connection that proves at its start that it speaks to a Redis that is right, and the probe that notices when it is.

Redis may lose everything. Server B writes a marker with the `run_id` of the Redis that it has filled; where the marker is absent or names
another, nothing read here may be believed, so that a client never hears 401 or 404 for what was merely lost.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog
from redis.asyncio import Connection, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from sms_contract import keyspace
from sms_gateway.clock import Clock
from sms_gateway.observability.metrics import flush_observer
from sms_gateway.wire import Command, Wire

log = structlog.get_logger()

_observe = flush_observer("redis")


class CacheError(Exception):
    """Redis did not answer, or what it holds is not to be believed now."""


class NotReadyError(RedisError):
    """Server B has not filled this Redis."""


class Script:
    """A Lua script and its SHA-1."""

    def __init__(self, path: Path) -> None:
        self.source = path.read_bytes()
        self.sha = ""


class Cache:
    """The gateway's access to Redis: whoever asks shares one connection, and waits for nobody else's answer."""

    STEP = 0.5  #: seconds, for each of: a connection, its greeting, an exchange

    def __init__(self, url: str, clock: Clock, *, scripts: Sequence[Script] = ()) -> None:
        # No resending: redis-py would repeat a script whose answer was lost, and charge twice.
        options: dict[str, Any] = {
            "socket_connect_timeout": self.STEP,
            "retry": Retry(NoBackoff(), 0),
            "health_check_interval": 0,
            "protocol": 2,
        }
        self._own = Redis.from_url(url, socket_timeout=self.STEP, **options)
        # A factory only. No time-out of the socket either: a wire has one for each exchange.
        self._factory = ConnectionPool.from_url(url, redis_connect_func=self._greet, socket_timeout=None, **options)
        self._wire: Wire | None = None
        self._connecting: asyncio.Task[Wire] | None = None
        self._clock = clock
        self._scripts = scripts
        self._run_id: str | None = None
        self._doubted = asyncio.Event()
        #: Keys, clients and providers may be believed; statuses too. Why not, where not.
        self.ready = False
        self.statuses_ready = False
        self.reason = "not asked yet"

    async def run(self, *commands: Command) -> list[Any]:
        """Send commands in one round trip. An error that Redis answers to one of them stands in its place. Raises `CacheError`."""
        if not self.ready:
            raise CacheError(self.reason)
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            wire = self._wire
            if wire is None or wire.closed:
                wire = await self._connected()
            answers = await wire.ask(commands)
        except (RedisError, OSError) as error:
            self.doubt()
            raise CacheError(type(error).__name__) from error
        _observe(len(commands), loop.time() - started)
        return answers

    async def evaluate(self, calls: Sequence[tuple[Script, Sequence[Any], Sequence[Any]]]) -> list[Any]:
        """Call scripts with their keys and arguments, all in one round trip; one that Redis has forgotten is sent again."""
        commands: list[Command] = [("EVALSHA", script.sha, len(keys), *keys, *arguments) for script, keys, arguments in calls]
        results = await self.run(*commands)
        forgotten = [i for i, result in enumerate(results) if isinstance(result, NoScriptError)]
        if forgotten:
            again = await self.run(*(("EVAL", calls[i][0].source, *commands[i][2:]) for i in forgotten))
            for i, result in zip(forgotten, again, strict=True):
                results[i] = result
        return results

    def marked(self, field: object) -> bool:
        """Whether a field of the marker, read in the same round trip as something missing, names this Redis."""
        return isinstance(field, bytes) and field.decode() == self._run_id

    def doubt(self) -> None:
        """Something that must be there is not: have the probe look at once."""
        self._doubted.set()

    async def watch(self) -> None:
        """Probe for ever; run as a task."""
        while True:
            await self.probe()
            self._doubted.clear()
            try:
                async with asyncio.timeout(1.0 if self.ready and self.statuses_ready else 0.3):
                    await self._doubted.wait()
                    await asyncio.sleep(0.05)
            except TimeoutError:
                pass

    async def probe(self) -> None:
        """Ask Redis who it is, what the marker says and what the time is."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(1.5):
                run_id = str((await self._own.info("server"))["run_id"])
                # Not the first command of a connection: its making would count as a delay.
                before = loop.time()
                seconds, microseconds = await self._own.time()
                self._clock.adjust(seconds * 1000 + microseconds / 1000, before=before, after=loop.time())
                admit, statuses = await self._own.hmget(keyspace.MARKER, ["admit", "statuses"])
                if run_id != self._run_id or not self.ready:
                    for script in self._scripts:
                        script.sha = str(await self._own.script_load(script.source.decode()))
        except (RedisError, OSError) as error:
            self._becomes(ready=False, statuses_ready=False, reason=f"unreachable ({type(error).__name__})")
            return
        if run_id != self._run_id:
            self._run_id = run_id
            self._prove_anew()
        ready = self.marked(admit)
        reason = "ok" if ready else "not filled by Server B yet"
        self._becomes(ready=ready, statuses_ready=ready and self.marked(statuses), reason=reason)

    async def close(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
        self._prove_anew()
        await self._own.aclose()

    def _becomes(self, *, ready: bool, statuses_ready: bool, reason: str) -> None:
        if ready != self.ready:
            log.info("cache.ready" if ready else "cache.lost", reason=reason)
            if not ready:
                self._prove_anew()
        self.ready, self.statuses_ready, self.reason = ready, statuses_ready, reason

    def _prove_anew(self) -> None:
        """Redis was lost or replaced: who asks from now on needs a connection that has proved itself since."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.retire()
        self._connecting = None

    async def _connected(self) -> Wire:
        """The connection, made by the first who needs it, for all who do."""
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect())
            self._connecting.add_done_callback(self._made)
        return await asyncio.shield(self._connecting)

    async def _connect(self) -> Wire:
        connection = self._factory.make_connection()  # type: ignore[no-untyped-call]
        try:
            async with asyncio.timeout(2 * self.STEP):
                await connection.connect()
        except BaseException:
            # Also where a time-out came between its being made and its greeting: half a connection must not be taken for a whole one.
            await connection.disconnect(nowait=True)
            raise
        return Wire(connection, patience=self.STEP)

    def _made(self, task: asyncio.Task[Wire]) -> None:
        wire = None if task.cancelled() or task.exception() is not None else task.result()
        if task is self._connecting:
            self._connecting, self._wire = None, wire
        elif wire is not None:
            wire.retire()  # Redis was replaced meanwhile

    async def _greet(self, connection: Connection) -> None:
        await connection.on_connect()
        # By the connection itself, which has no time-out for it: that is for `_connect` to keep.
        await connection.send_command("INFO", "server")
        await connection.send_command("HGET", keyspace.MARKER, "admit")
        info, marker = await connection.read_response(), await connection.read_response()
        run_id = next((line[7:] for line in info.splitlines() if line.startswith(b"run_id:")), b"")
        if not run_id or run_id != marker:
            raise NotReadyError
        # Set by the probe before: another one means that Redis was restarted in between, and the scripts are gone too.
        if run_id.decode() != self._run_id:
            raise NotReadyError
