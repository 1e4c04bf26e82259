"""
A future whose waiter goes on in the moment in which it is done.

asyncio wakes who waits in the loop's next turn, after all that is ready already; under load that is milliseconds of other requests, in
which an answer that is here is not used and what follows from it is not on its way. Only for what a protocol hears: a task is stepped
from within, so there must be none running; where there is one, waking is left to the loop as ever.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any


class Prompt[Result](asyncio.Future[Result]):
    """Awaited by one task, and done from a callback of the loop."""

    def __init__(self) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self._waiters: list[tuple[Callable[[Any], object], Context | None]] = []

    def add_done_callback(self, fn: Callable[[Any], object], /, *, context: Context | None = None) -> None:
        if self.done():
            super().add_done_callback(fn, context=context)
        else:
            self._waiters.append((fn, context))

    def remove_done_callback(self, fn: Callable[[Any], object], /) -> int:
        before = len(self._waiters)
        self._waiters = [waiter for waiter in self._waiters if waiter[0] != fn]
        return before - len(self._waiters) + super().remove_done_callback(fn)

    def set_result(self, result: Result, /) -> None:
        super().set_result(result)
        self._wake()

    def set_exception(self, exception: type | BaseException, /) -> None:
        super().set_exception(exception)
        self._wake()

    def cancel(self, msg: Any | None = None) -> bool:
        cancelled = super().cancel(msg)
        if cancelled:
            # By the task that waits, or by whoever cancels it: neither may be entered now.
            self._leave_to_the_loop()
        return cancelled

    def _wake(self) -> None:
        if asyncio.current_task() is not None:
            self._leave_to_the_loop()
            return
        waiters, self._waiters = self._waiters, []
        for fn, context in waiters:
            fn(self) if context is None else context.run(fn, self)

    def _leave_to_the_loop(self) -> None:
        waiters, self._waiters = self._waiters, []
        for fn, context in waiters:
            self.get_loop().call_soon(fn, self, context=context)
