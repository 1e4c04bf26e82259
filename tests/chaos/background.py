"""The event loop in which the load and the fault proxies run, beside the thread that makes trouble."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any


class Background:
    """Runs coroutines for a thread that has no loop of its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def run[T](self, work: Coroutine[Any, Any, T], *, seconds: float = 60) -> T:
        """Its result, waited for."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def start(self, work: Coroutine[Any, Any, None]) -> "asyncio.Future[None]":
        """Begin, and go on."""

        async def begin() -> "asyncio.Future[None]":
            return asyncio.get_running_loop().create_task(work)

        return self.run(begin())


@contextmanager
def background() -> Iterator[Background]:
    """A loop in a thread, until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="chaos", daemon=True)
    thread.start()
    try:
        yield Background(loop)
    finally:
        asyncio.run_coroutine_threadsafe(_end_all(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


async def _end_all() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
