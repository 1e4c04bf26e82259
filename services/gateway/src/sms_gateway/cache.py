"""
Redis: a few connections, each of which proves at its start that it speaks to a Redis that is right, and the probe that notices when it is.

Redis may lose everything. Server B writes a marker with the `run_id` of the Redis that it has filled; where the marker is absent or names
another, nothing read here may be believed, so that a client never hears 401 or 404 for what was merely lost.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog
from hiredis import pack_command
from redis.asyncio import Connection, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError

from sms_contract import keyspace
from sms_gateway.clock import Clock
from sms_gateway.coalescer import Coalescer, UnansweredError, WithdrawnError
from sms_gateway.observability.metrics import flush_observer

log = structlog.get_logger()

type Command = tuple[bytes | str | int, ...]


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
    """The gateway's access to Redis: what is asked for at the same time shares a round trip."""

    STEP = 0.5  #: seconds, for each of: a connection, its greeting, an exchange
    PATIENCE = 1.5  #: for all of it

    def __init__(self, url: str, clock: Clock, *, scripts: Sequence[Script] = ()) -> None:
        # No resending: redis-py would repeat a script whose answer was lost, and charge twice.
        options: dict[str, Any] = {
            "socket_connect_timeout": self.STEP,
            "retry": Retry(NoBackoff(), 0),
            "health_check_interval": 0,
            "protocol": 2,
        }
        self._own = Redis.from_url(url, socket_timeout=self.STEP, **options)
        # A factory only. As many connections as there may be round trips at a time need no pool, which costs twice what a round trip does.
        # No time-out of the socket either: that would be a timer for each write and each answer, where `_flush` has one for all of them.
        self._factory = ConnectionPool.from_url(url, redis_connect_func=self._greet, socket_timeout=None, **options)
        self._idle: list[tuple[Connection, int]] = []
        #: Counts the times that Redis was lost or replaced: connections of before have to prove themselves again.
        self._epoch = 0
        self._round_trips: Coalescer[Sequence[Command], list[Any]] = Coalescer(
            self._flush, max_in_flight=2, observe=flush_observer("redis"), at_once=True
        )
        self._clock = clock
        self._scripts = scripts
        self._run_id: str | None = None
        self._doubted = asyncio.Event()
        #: Keys, clients and providers may be believed; statuses too. Why not, where not.
        self.ready = False
        self.statuses_ready = False
        self.reason = "not asked yet"

    async def run(self, *commands: Command) -> list[Any]:
        """Send commands in one round trip, with those of others. An error that Redis answers to one of them stands in its place."""
        if not self.ready:
            raise CacheError(self.reason)
        try:
            return await self._round_trips.submit(commands, deadline=asyncio.get_running_loop().time() + self.PATIENCE)
        except (WithdrawnError, UnansweredError) as error:
            raise CacheError("no answer in time") from error

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
            self._epoch += 1
        ready = self.marked(admit)
        reason = "ok" if ready else "not filled by Server B yet"
        self._becomes(ready=ready, statuses_ready=ready and self.marked(statuses), reason=reason)

    async def close(self) -> None:
        for connection, _ in self._idle:
            await connection.disconnect(nowait=True)
        await self._own.aclose()

    def _becomes(self, *, ready: bool, statuses_ready: bool, reason: str) -> None:
        if ready != self.ready:
            log.info("cache.ready" if ready else "cache.lost", reason=reason)
            if not ready:
                self._epoch += 1
        self.ready, self.statuses_ready, self.reason = ready, statuses_ready, reason

    async def _flush(self, groups: list[Sequence[Command]], _deadline: float) -> Sequence[list[Any] | Exception]:
        connection, epoch = self._idle.pop() if self._idle else (self._factory.make_connection(), self._epoch)  # type: ignore[no-untyped-call]
        try:
            if connection.is_connected and (epoch != self._epoch or await connection.can_read()):
                await connection.disconnect(nowait=True)
            epoch = self._epoch
            if not connection.is_connected:
                async with asyncio.timeout(2 * self.STEP):
                    await connection.connect()
            async with asyncio.timeout(self.STEP):
                results = iter(await self._exchange(connection, [command for group in groups for command in group]))
        except (RedisError, OSError) as error:
            self.doubt()
            # Also where a time-out came between its being made and its greeting: half a connection must not be taken for a whole one.
            await connection.disconnect(nowait=True)
            return [CacheError(type(error).__name__) for _ in groups]
        finally:
            self._idle.append((connection, epoch))
        return [[next(results) for _ in group] for group in groups]

    async def _greet(self, connection: Connection) -> None:
        await connection.on_connect()
        info, marker = await self._exchange(connection, [("INFO", "server"), ("HGET", keyspace.MARKER, "admit")])
        run_id = next((line[7:] for line in info.splitlines() if line.startswith(b"run_id:")), b"")
        if not run_id or run_id != marker:
            raise NotReadyError
        # Set by the probe before: another one means that Redis was restarted in between, and the scripts are gone too.
        if run_id.decode() != self._run_id:
            raise NotReadyError

    async def _exchange(self, connection: Connection, commands: Sequence[Command]) -> list[Any]:
        try:
            # Packed by hiredis: redis-py's own packing is Python, argument by argument.
            packed = [pack_command(command) for command in commands]  # type: ignore[arg-type]  # of any length
            await connection.send_packed_command(packed, check_health=False)
            results: list[Any] = []
            for _ in commands:
                try:
                    results.append(await connection.read_response())
                except ResponseError as error:
                    results.append(error)
        except BaseException:
            # Whatever happened, an answer may still be on its way: nobody else may read it.
            await connection.disconnect(nowait=True)
            raise
        return results
