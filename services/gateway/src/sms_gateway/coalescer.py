"""
Group commit: concurrent requests share the cost of one flush.

`submit` returns at once with a future. An item flushes in the same turn of the event loop when nothing is under way; while the allowed
number of flushes is, items gather for the next. Each item has a deadline, also while its flush hangs; each gets a result of its own.

What goes on from one coalescer to the next is gathered with a function that takes its result instead of a future: a task that is woken
only to hand an item on costs more than the handing on.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from math import ceil


class WithdrawnError(Exception):
    """The deadline passed while the item was still waiting: no flush has seen it."""


class UnansweredError(Exception):
    """The deadline passed while a flush had the item: nobody knows what became of it."""


class _Entry[Item, Result]:
    __slots__ = ("bucket", "deadline", "ended", "future", "item", "size", "taken", "then")

    def __init__(
        self, item: Item, *, then: Callable[[Result | Exception], None], future: asyncio.Future[Result] | None, deadline: float, size: int
    ) -> None:
        self.item = item
        self.then = then
        self.future = future
        self.deadline = deadline
        self.size = size
        self.taken = False
        self.ended = False
        self.bucket: set[_Entry[Item, Result]] | None = None


class Coalescer[Item, Result]:
    """
    Gathers items and flushes them together, in the order of their coming.

    `flush(items, deadline)` returns one result an item, in order; a result that is an exception is raised to that item's waiter alone. What
    it raises is raised to all of them. `deadline` is the latest of the items', by the clock of the loop. `at_once`: an item that finds
    nothing under way does not wait for others of its turn; for items that are groups already. `landed` is called when all results of a
    flush have been handed over, so that what they set off can begin as one.
    """

    #: Deadlines are kept in steps of this many seconds, so that a thousand items cost a timer, not a thousand.
    GRAIN = 0.05

    def __init__(
        self,
        flush: Callable[[list[Item], float], Awaitable[Sequence[Result | Exception]]],
        *,
        max_in_flight: int = 4,
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
        self._buckets: dict[int, set[_Entry[Item, Result]]] = {}
        self._launching = False
        self._under_way = 0
        self._flushes = 0

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
        elif not self._launching and self._flushes < self._max_in_flight:
            self._launching = True
            asyncio.get_running_loop().call_soon(self._launch)

    def begin(self) -> None:
        """Flush what has been gathered, in this very moment."""
        if self._waiting and self._flushes < self._max_in_flight:
            self._launch()

    @property
    def load(self) -> int:
        """How many items wait or are under way."""
        return len(self._waiting) + self._under_way

    async def drain(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks or self._waiting:
            await asyncio.wait(self._tasks) if self._tasks else await asyncio.sleep(0)

    def _launch(self) -> None:
        self._launching = False
        while self._waiting and self._flushes < self._max_in_flight:
            entries = self._take()
            if not entries:
                return
            self._under_way += len(entries)
            self._flushes += 1
            # Begun in this turn of the loop: under load a turn is long, and what is not yet written waits for all of the next one.
            task = asyncio.Task(self._run(entries), loop=asyncio.get_running_loop(), eager_start=True)
            if not task.done():
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _run(self, entries: list[_Entry[Item, Result]]) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        results: Sequence[Result | Exception] = []
        try:
            results = await self._flush([entry.item for entry in entries], max(entry.deadline for entry in entries))
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
            self._land(entries, results)

    def _take(self) -> list[_Entry[Item, Result]]:
        entries: list[_Entry[Item, Result]] = []
        size = 0
        while self._waiting and len(entries) < self._max_items:
            entry = self._waiting[0]
            if entry.ended or (entry.future is not None and entry.future.done()):
                self._forget(self._waiting.popleft())
                continue
            size += entry.size
            if size > self._max_bytes and entries:
                break
            entry.taken = True
            entries.append(self._waiting.popleft())
        return entries

    def _land(self, entries: list[_Entry[Item, Result]], results: Sequence[Result | Exception]) -> None:
        self._flushes -= 1
        self._under_way -= len(entries)
        for entry, result in zip(entries, results, strict=True):
            self._forget(entry)
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
        step = ceil(entry.deadline / self.GRAIN)
        bucket = self._buckets.get(step)
        if bucket is None:
            bucket = self._buckets[step] = set()
            asyncio.get_running_loop().call_at(step * self.GRAIN, self._expire, step)
        bucket.add(entry)
        entry.bucket = bucket
        self._waiting.append(entry)

    def _forget(self, entry: _Entry[Item, Result]) -> None:
        if entry.bucket is not None:
            entry.bucket.discard(entry)

    def _expire(self, step: int) -> None:
        for entry in self._buckets.pop(step):
            entry.bucket = None
            self._end(entry, UnansweredError() if entry.taken else WithdrawnError())


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
