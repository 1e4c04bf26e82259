"""
Group commit: concurrent requests share the cost of one flush.

`submit` returns at once with a future. An item flushes in the same turn of the event loop when nothing is under way; while the allowed
number of flushes is, items gather for the next. Each item has a deadline, also while its flush hangs; each gets a result of its own.

What goes on from one coalescer to the next is gathered with a function that takes its result instead of a future: a task that is woken
only to hand an item on costs more than the handing on.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Final

#: Flushes under way at a time, unless somebody knows better.
MOST_IN_FLIGHT: Final = 4


class WithdrawnError(Exception):
    """The deadline passed while the item was still waiting: no flush has seen it."""


class UnansweredError(Exception):
    """The deadline passed while a flush had the item: nobody knows what became of it."""


class _Entry[Item, Result]:
    __slots__ = ("deadline", "ended", "future", "item", "size", "then")

    def __init__(
        self, item: Item, *, then: Callable[[Result | Exception], None], future: asyncio.Future[Result] | None, deadline: float, size: int
    ) -> None:
        self.item = item
        self.then = then
        self.future = future
        self.deadline = deadline
        self.size = size
        self.ended = False


class Coalescer[Item, Result]:
    """
    Gathers items and flushes them together, in the order of their coming.

    `flush(items, deadline)` returns one result an item, in order; a result that is an exception is raised to that item's waiter alone. What
    it raises is raised to all of them. `deadline` is the latest of the items', by the clock of the loop. `at_once`: an item that finds
    nothing under way does not wait for others of its turn; for items that are groups already. `landed` is called when all results of a
    flush have been handed over, so that what they set off can begin as one.
    """

    #: Deadlines are looked at every so many seconds while there are items, so that an item costs neither a timer nor a note of it.
    GRAIN = 0.05

    def __init__(
        self,
        flush: Callable[[list[Item], float], Awaitable[Sequence[Result | Exception]]],
        *,
        max_in_flight: int = MOST_IN_FLIGHT,
        max_items: int = 500,
        max_bytes: int = 2 * 1024 * 1024,
        observe: Callable[[int, float], None] | None = None,
        at_once: bool = False,
        landed: Callable[[], None] | None = None,
    ) -> None:
        self._flush = flush
        self._max_in_flight = max_in_flight
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._observe = observe
        self._at_once = at_once
        self._landed = landed
        self._waiting: deque[_Entry[Item, Result]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        #: What each flush under way has, by a number of its own.
        self._flying: dict[int, list[_Entry[Item, Result]]] = {}
        self._flights = 0
        self._looking = False
        self._launching = False

    def submit(self, item: Item, *, deadline: float, size: int = 0) -> asyncio.Future[Result]:
        """Have an item flushed. Cancelling the future drops this waiter; the item too, if no flush has it yet."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._add(_Entry(item, then=partial(_resolve, future), future=future, deadline=deadline, size=size))
        self.soon()
        return future

    def gather(self, item: Item, then: Callable[[Result | Exception], None], *, deadline: float, size: int = 0) -> None:
        """
        Put an item where the next flush finds it; who gathers calls `soon` or `begin` afterwards.

        `then` is called once, with the result or the error, by the flush that ends or when the deadline passes.
        """
        self._add(_Entry(item, then=then, future=None, deadline=deadline, size=size))

    def soon(self) -> None:
        """Flush in this turn of the loop, but not in this very moment: what else arrives in it flies along."""
        if self._at_once:
            self.begin()
        elif not self._launching and len(self._flying) < self._max_in_flight:
            self._launching = True
            asyncio.get_running_loop().call_soon(self._launch)

    def begin(self) -> None:
        """Flush what has been gathered, in this very moment."""
        if self._waiting and len(self._flying) < self._max_in_flight:
            self._launch()

    @property
    def load(self) -> int:
        """How many items wait or are under way."""
        return len(self._waiting) + sum(map(len, self._flying.values()))

    async def drain(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks or self._waiting:
            await asyncio.wait(self._tasks) if self._tasks else await asyncio.sleep(0)

    def _launch(self) -> None:
        self._launching = False
        while self._waiting and len(self._flying) < self._max_in_flight:
            entries, deadline = self._take()
            if not entries:
                return
            self._flights += 1
            self._flying[self._flights] = entries
            # Begun in this turn of the loop: under load a turn is long, and what is not yet written waits for all of the next one.
            flight = self._run(self._flights, entries, deadline)
            task = asyncio.Task(flight, loop=asyncio.get_running_loop(), eager_start=True)
            if not task.done():
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _run(self, flight: int, entries: list[_Entry[Item, Result]], deadline: float) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        results: Sequence[Result | Exception] = []
        try:
            results = await self._flush([entry.item for entry in entries], deadline)
            if len(results) != len(entries):
                raise RuntimeError("a flush returned too few results, or too many")  # noqa: TRY301
        except asyncio.CancelledError:
            results = [UnansweredError() for _ in entries]
            raise
        except Exception as failure:  # noqa: BLE001  (whatever it is, they wait)
            results = [_failure(failure) for _ in entries]
        finally:
            if self._observe is not None:
                self._observe(len(entries), loop.time() - started)
            self._land(flight, entries, results)

    def _take(self) -> tuple[list[_Entry[Item, Result]], float]:
        """What flies next, and the latest of its deadlines."""
        waiting = self._waiting
        entries: list[_Entry[Item, Result]] = []
        size = 0
        deadline = 0.0
        while waiting and len(entries) < self._max_items:
            entry = waiting[0]
            if entry.ended or (entry.future is not None and entry.future.done()):
                waiting.popleft()
                continue
            size += entry.size
            if size > self._max_bytes and entries:
                break
            deadline = max(deadline, entry.deadline)
            entries.append(waiting.popleft())
        return entries, deadline

    def _land(self, flight: int, entries: list[_Entry[Item, Result]], results: Sequence[Result | Exception]) -> None:
        del self._flying[flight]
        for entry, result in zip(entries, results, strict=True):
            self._end(entry, result)
        if self._landed is not None:
            self._landed()
        if self._waiting:
            self._launch()

    def _end(self, entry: _Entry[Item, Result], result: Result | Exception) -> None:
        if entry.ended:
            return
        entry.ended = True
        try:
            entry.then(result)
        except Exception as failure:  # noqa: BLE001  (one that fails must not take the others of its group along)
            told = {"message": "An item's continuation failed.", "exception": failure}
            asyncio.get_running_loop().call_exception_handler(told)

    def _add(self, entry: _Entry[Item, Result]) -> None:
        if entry.size > self._max_bytes:
            raise ValueError("larger than a flush may be")
        self._waiting.append(entry)
        if not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_later(self.GRAIN, self._look)

    def _look(self) -> None:
        """End what is past its deadline; and look again as long as there is something to look at."""
        now = asyncio.get_running_loop().time()
        for entry in _late(self._waiting, now):
            self._end(entry, WithdrawnError())
        for entries in list(self._flying.values()):
            for entry in _late(entries, now):
                self._end(entry, UnansweredError())
        self._looking = bool(self._waiting or self._flying)
        if self._looking:
            asyncio.get_running_loop().call_later(self.GRAIN, self._look)


def _late[Item, Result](entries: Iterable[_Entry[Item, Result]], now: float) -> list[_Entry[Item, Result]]:
    return [entry for entry in entries if entry.deadline <= now and not entry.ended]


def _resolve[Result](future: asyncio.Future[Result], result: Result | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)


def _failure(failure: BaseException) -> Exception:
    # One instance a waiter: a shared one would gather the tracebacks of all of them.
    copy = RuntimeError("the flush failed")
    copy.__cause__ = failure
    return copy
