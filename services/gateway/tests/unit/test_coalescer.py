"""Group commit: what is shared, what never is, and what a deadline does to each."""

import asyncio
from collections.abc import Sequence
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sms_gateway.coalescer import Coalescer, UnansweredError, WithdrawnError

LATER = 60.0


class Recorder:
    """A flush that waits to be let go, and remembers what it was given."""

    def __init__(self) -> None:
        self.flushes: list[list[str]] = []
        self.deadlines: list[float] = []
        self._gates: list[asyncio.Future[None]] = []
        self.under_way = 0
        self.most_under_way = 0

    async def __call__(self, items: list[str], deadline: float) -> Sequence[str | Exception]:
        self.flushes.append(items)
        self.deadlines.append(deadline)
        gate = asyncio.get_running_loop().create_future()
        self._gates.append(gate)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await gate
        finally:
            self.under_way -= 1
        return [ValueError(item) if item.startswith("bad") else item.upper() for item in items]

    async def let_go(self, flush: int) -> None:
        for _ in range(100):
            if len(self._gates) > flush:
                break
            await asyncio.sleep(0)
        self._gates[flush].set_result(None)


def later() -> float:
    return asyncio.get_running_loop().time() + LATER


async def turn(times: int = 5) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


async def test_an_item_flies_at_once_when_nothing_is_under_way() -> None:
    flush = Recorder()
    future = Coalescer(flush).submit("a", deadline=later())
    await turn()
    assert flush.flushes == [["a"]]
    await flush.let_go(0)
    assert await future == "A"


async def test_items_of_one_turn_of_the_loop_fly_together() -> None:
    flush = Recorder()
    coalescer = Coalescer(flush)
    futures = [coalescer.submit(item, deadline=later()) for item in "abc"]
    await turn()
    assert flush.flushes == [["a", "b", "c"]]
    await flush.let_go(0)
    assert await asyncio.gather(*futures) == ["A", "B", "C"]


async def test_items_gather_while_all_flights_are_taken_and_leave_when_one_lands() -> None:
    flush = Recorder()
    coalescer = Coalescer(flush, max_in_flight=2)
    futures = []
    for item in "abcde":
        futures.append(coalescer.submit(item, deadline=later()))
        await turn()
    assert flush.flushes == [["a"], ["b"]]
    assert coalescer.load == 5
    await flush.let_go(1)
    await turn()
    assert flush.flushes == [["a"], ["b"], ["c", "d", "e"]]
    await flush.let_go(0)
    await flush.let_go(2)
    assert await asyncio.gather(*futures) == ["A", "B", "C", "D", "E"]
    assert flush.most_under_way == 2
    assert coalescer.load == 0


async def test_an_items_failure_is_its_own() -> None:
    flush = Recorder()
    coalescer = Coalescer(flush)
    good, bad, fine = (coalescer.submit(item, deadline=later()) for item in ("good", "bad", "fine"))
    await flush.let_go(0)
    assert (await good, await fine) == ("GOOD", "FINE")
    with pytest.raises(ValueError, match="bad"):
        await bad


async def test_what_a_flush_raises_reaches_all_who_were_in_it_and_nobody_else() -> None:
    calls = 0

    async def flush(items: list[str], _: float) -> Sequence[str | Exception]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise KeyError("broken")
        return items

    coalescer = Coalescer(flush)
    first, second = coalescer.submit("a", deadline=later()), coalescer.submit("b", deadline=later())
    await turn()
    third = coalescer.submit("c", deadline=later())
    for future in (first, second):
        with pytest.raises(RuntimeError) as raised:
            await future
        assert isinstance(raised.value.__cause__, KeyError)
    assert await third == "c"


async def test_a_cancelled_waiter_takes_only_itself_away() -> None:
    flush = Recorder()
    coalescer = Coalescer(flush, max_in_flight=1)
    first = coalescer.submit("a", deadline=later())
    await turn()
    waiting, other = coalescer.submit("b", deadline=later()), coalescer.submit("c", deadline=later())
    waiting.cancel()
    first.cancel()  # its flush is under way and goes on
    await flush.let_go(0)
    await turn()
    assert flush.flushes == [["a"], ["c"]]
    await flush.let_go(1)
    assert await other == "C"


async def test_nothing_flies_for_waiters_who_have_all_gone() -> None:
    flush = Recorder()
    coalescer = Coalescer(flush, max_in_flight=1)
    coalescer.submit("a", deadline=later()).cancel()
    await turn()
    assert flush.flushes == []
    future = coalescer.submit("b", deadline=later())
    await flush.let_go(0)
    assert await future == "B"


async def test_a_flush_holds_no_more_than_it_may() -> None:
    flush = Recorder()
    coalescer = Coalescer(flush, max_in_flight=4, max_items=3, max_bytes=10)
    futures = [coalescer.submit(item, deadline=later(), size=size) for item, size in zip("abcdefg", [1, 1, 1, 6, 6, 4, 10], strict=True)]
    await turn()
    assert flush.flushes == [["a", "b", "c"], ["d"], ["e", "f"], ["g"]]
    for i in range(4):
        await flush.let_go(i)
    assert len(await asyncio.gather(*futures)) == 7
    with pytest.raises(ValueError, match="larger"):
        coalescer.submit("h", deadline=later(), size=11)


async def test_a_deadline_withdraws_what_no_flush_has_and_leaves_open_what_one_has() -> None:
    flush = Recorder()
    coalescer = Coalescer(flush, max_in_flight=1)
    now = asyncio.get_running_loop().time()
    taken = coalescer.submit("a", deadline=now + 0.01)
    await turn()
    waiting = coalescer.submit("b", deadline=now + 0.01)
    patient = coalescer.submit("c", deadline=later())
    with pytest.raises(UnansweredError):
        await taken
    with pytest.raises(WithdrawnError):
        await waiting
    assert asyncio.get_running_loop().time() - now < 0.5
    await flush.let_go(0)
    await turn()
    assert flush.flushes == [["a"], ["c"]]
    await flush.let_go(1)
    assert await patient == "C"


async def test_a_flush_is_told_the_latest_deadline_of_its_items() -> None:
    flush = Recorder()
    coalescer = Coalescer(flush)
    now = asyncio.get_running_loop().time()
    futures = [coalescer.submit(item, deadline=now + seconds) for item, seconds in (("a", 5), ("b", 9), ("c", 7))]
    await turn()
    assert flush.deadlines == [now + 9]
    await flush.let_go(0)
    await asyncio.gather(*futures)


async def test_drain_waits_for_what_is_under_way() -> None:
    flush = Recorder()
    coalescer = Coalescer(flush, max_in_flight=1)
    futures = [coalescer.submit("a", deadline=later())]
    await turn()
    futures.append(coalescer.submit("b", deadline=later()))
    drained = asyncio.ensure_future(coalescer.drain())
    await turn()
    assert not drained.done()
    await flush.let_go(0)
    await flush.let_go(1)
    await drained
    assert all(future.done() for future in futures)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.text("ab", min_size=1, max_size=3), st.integers(0, 3), st.booleans()), max_size=60),
    st.integers(1, 4),
    st.integers(1, 7),
)
def test_everyone_gets_his_own_result_whatever_the_order(plan: list[tuple[str, int, bool]], flights: int, items: int) -> None:
    async def flush(batch: list[tuple[int, str]], _: float) -> Sequence[str | Exception]:
        for _ in range(batch[0][0] % 4):
            await asyncio.sleep(0)
        return [ValueError(text) if text == "b" else f"{number}{text}" for number, text in batch]

    async def run() -> None:
        coalescer = Coalescer(flush, max_in_flight=flights, max_items=items)
        futures = []
        for number, (text, pause, cancel) in enumerate(plan):
            future = coalescer.submit((number, text), deadline=later())
            if cancel:
                future.cancel()
            futures.append(future)
            await turn(pause)
        results = await asyncio.gather(*futures, return_exceptions=True)
        for number, ((text, _, cancel), result) in enumerate(zip(plan, results, strict=True)):
            if cancel:
                assert isinstance(result, asyncio.CancelledError)
            elif text == "b":
                assert isinstance(result, ValueError)
            else:
                assert result == f"{number}{text}"
        await turn()
        assert coalescer.load == 0

    asyncio.run(run())


async def test_a_group_does_not_wait_for_others_of_its_turn() -> None:
    flush = Recorder()
    coalescer: Coalescer[str, str] = Coalescer(flush, max_in_flight=1, at_once=True)
    first = coalescer.submit("a", deadline=later())
    assert flush.flushes == [["a"]]
    rest = [coalescer.submit(item, deadline=later()) for item in ("b", "c")]
    assert flush.flushes == [["a"]]
    await flush.let_go(0)
    assert await first == "A"
    assert flush.flushes == [["a"], ["b", "c"]]
    await flush.let_go(1)
    assert await asyncio.gather(*rest) == ["B", "C"]


async def test_a_flush_that_miscounts_fails_all_its_items_and_blocks_nothing() -> None:
    async def flush(_items: list[str], _deadline: float) -> list[str]:
        return []

    coalescer: Coalescer[str, str] = Coalescer(flush, max_in_flight=1)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            await coalescer.submit("a", deadline=later())
    assert coalescer.load == 0


async def test_what_is_gathered_waits_until_it_is_begun_and_hands_its_results_over_in_order() -> None:
    flush = Recorder()
    coalescer: Coalescer[str, str] = Coalescer(flush)
    heard: list[str | Exception] = []
    for item in ("a", "bad", "c"):
        coalescer.gather(item, heard.append, deadline=later())
    await turn()
    assert flush.flushes == []
    coalescer.begin()
    assert flush.flushes == [["a", "bad", "c"]]
    await flush.let_go(0)
    await turn()
    assert (heard[0], str(heard[1]), heard[2]) == ("A", "bad", "C")
    assert isinstance(heard[1], ValueError)


async def test_what_a_flush_sets_off_begins_as_one_group_in_the_turn_in_which_it_lands() -> None:
    first, second = Recorder(), Recorder()
    after: Coalescer[str, str] = Coalescer(second)
    before: Coalescer[str, str] = Coalescer(first, landed=after.begin)
    heard: list[str | Exception] = []
    for item in "ab":
        before.gather(item, lambda result: after.gather(str(result), heard.append, deadline=later()), deadline=later())
    before.begin()
    await first.let_go(0)
    await turn()
    assert second.flushes == [["A", "B"]]
    await second.let_go(0)
    await turn()
    assert heard == ["A", "B"]


async def test_a_deadline_ends_what_is_gathered_once_and_it_is_not_flushed_afterwards() -> None:
    flush = Recorder()
    coalescer: Coalescer[str, str] = Coalescer(flush, max_in_flight=1)
    heard: dict[str, str | Exception] = {}
    both = asyncio.Event()

    def hear(name: str, result: str | Exception) -> None:
        assert name not in heard
        heard[name] = result
        if len(heard) == 2:
            both.set()

    soon = asyncio.get_running_loop().time() + 0.02
    coalescer.gather("taken", partial(hear, "taken"), deadline=soon)
    coalescer.begin()
    coalescer.gather("waiting", partial(hear, "waiting"), deadline=soon)
    async with asyncio.timeout(10):
        await both.wait()
    await flush.let_go(0)
    await turn()
    assert isinstance(heard["taken"], UnansweredError)
    assert isinstance(heard["waiting"], WithdrawnError)
    assert flush.flushes == [["taken"]]


async def test_one_that_cannot_take_its_result_does_not_take_the_others_along() -> None:
    told: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    flush = Recorder()
    coalescer: Coalescer[str, str] = Coalescer(flush)
    heard: list[str | Exception] = []

    def broken(_: str | Exception) -> None:
        raise KeyError("broken")

    coalescer.gather("a", broken, deadline=later())
    coalescer.gather("b", heard.append, deadline=later())
    coalescer.begin()
    await flush.let_go(0)
    await turn()
    assert heard == ["B"]
    assert [type(context["exception"]) for context in told] == [KeyError]
    assert coalescer.load == 0
