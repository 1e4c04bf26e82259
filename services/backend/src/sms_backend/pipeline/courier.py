"""The one event loop of a process, in a thread of its own, with the one HTTP session that all sends share."""

import asyncio
import atexit
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence

import uvloop

from sms_backend.core import metrics
from sms_providers.sending import Job, Result, send_one
from sms_providers.transport import Observer, Transport

#: How long results are gathered before those that are there are handed on; the slowest provider holds up nobody else's.
_PATIENCE = 0.2


class Courier:
    """Sends from threads: `deliver(jobs)` yields results as they come, in chunks."""

    def __init__(self, observe: Observer, count: Callable[[], None]) -> None:
        self._observe, self._count = observe, count
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._transport: Transport | None = None

    def deliver(self, jobs: Sequence[Job]) -> Iterator[list[tuple[int, Result]]]:
        """Chunks of (index of the job, its result), until each job has one."""
        loop = self._running()
        waiting: set[asyncio.Task[tuple[int, Result]]] = asyncio.run_coroutine_threadsafe(self._begin(jobs), loop).result()
        while waiting:
            done, waiting = asyncio.run_coroutine_threadsafe(_chunk(waiting), loop).result()
            self._count()
            yield [task.result() for task in done]

    def ask[T](self, work: Callable[[Transport], Awaitable[T]]) -> T:
        """Run something else that needs the session, and wait for it."""
        try:
            return asyncio.run_coroutine_threadsafe(self._asked(work), self._running()).result()
        finally:
            self._count()

    def close(self) -> None:
        """Close the HTTP session and end the loop; nothing is under way any more."""
        if self._loop is None:
            return
        if self._transport is not None:
            asyncio.run_coroutine_threadsafe(self._transport.__aexit__(None, None, None), self._loop).result(timeout=5)
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _begin(self, jobs: Sequence[Job]) -> set[asyncio.Task[tuple[int, Result]]]:
        transport = await self._opened()
        return {asyncio.ensure_future(_one(index, job, transport)) for index, job in enumerate(jobs)}

    async def _asked[T](self, work: Callable[[Transport], Awaitable[T]]) -> T:
        return await work(await self._opened())

    async def _opened(self) -> Transport:
        if self._transport is None:
            # Nothing is awaited between the question and the answer, so there is one session however many ask.
            self._transport = await Transport(observe=self._observe).__aenter__()
        return self._transport

    def _running(self) -> asyncio.AbstractEventLoop:
        # Made by the first send, never at import: Celery may fork in between.
        with self._lock:
            if self._loop is None:
                self._loop = uvloop.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="courier", daemon=True).start()
                atexit.register(self.close)
            return self._loop


async def _one(index: int, job: Job, transport: Transport) -> tuple[int, Result]:
    return index, await send_one(job, transport)


async def _chunk[T](waiting: set[asyncio.Task[T]]) -> tuple[set[asyncio.Task[T]], set[asyncio.Task[T]]]:
    done, rest = await asyncio.wait(waiting, timeout=_PATIENCE)
    if not done:
        done, rest = await asyncio.wait(rest, return_when=asyncio.FIRST_COMPLETED)
    return done, rest


#: The one of this process.
courier = Courier(observe=metrics.observe_provider, count=metrics.count_observed)
