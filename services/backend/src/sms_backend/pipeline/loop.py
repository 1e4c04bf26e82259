"""An event loop in a thread of its own, for threads that have much to wait for at once."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop


class LoopThread:
    """Begun by the first call, never at import: Celery may fork in between."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def call[T](self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine there, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work(), self._running()).result()

    def close(self) -> None:
        """End it; nothing is under way any more."""
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._loop = None

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = uvloop.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True).start()
            return self._loop
