"""Who waits for a prompt future goes on at once, and otherwise as ever."""

import asyncio

import pytest

from sms_gateway.prompt import Prompt


async def waiting(future: Prompt[str], heard: list[str]) -> None:
    try:
        heard.append(await future)
    except ConnectionError:
        heard.append("lost")
    except TimeoutError:
        heard.append("late")


def from_the_loop(future: Prompt[str], heard: list[str], seen: list[list[str]]) -> None:
    future.set_result("here")
    seen.append(list(heard))


async def test_the_waiter_has_gone_on_when_the_callback_that_ended_its_waiting_returns() -> None:
    future, heard, seen = Prompt[str](), list[str](), list[list[str]]()
    task = asyncio.create_task(waiting(future, heard))
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(from_the_loop, future, heard, seen)
    await task
    assert seen == [["here"]]


async def test_within_a_task_it_waits_for_its_turn() -> None:
    future, heard = Prompt[str](), list[str]()
    task = asyncio.create_task(waiting(future, heard))
    await asyncio.sleep(0)
    future.set_result("here")
    assert heard == []
    await task
    assert heard == ["here"]


async def test_an_error_is_raised_to_it() -> None:
    future, heard = Prompt[str](), list[str]()
    task = asyncio.create_task(waiting(future, heard))
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(future.set_exception, ConnectionError())
    await task
    assert heard == ["lost"]


async def test_what_is_done_already_is_there() -> None:
    future = Prompt[str]()
    future.set_result("here")
    assert await future == "here"


async def test_a_waiter_that_is_cancelled_takes_the_future_with_it() -> None:
    future, heard = Prompt[str](), list[str]()
    task = asyncio.create_task(waiting(future, heard))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (future.cancelled(), heard) == (True, [])


async def test_a_time_out_ends_the_waiting() -> None:
    future, heard = Prompt[str](), list[str]()

    async def patient() -> None:
        try:
            async with asyncio.timeout(0.01):
                await future
        except TimeoutError:
            heard.append("late")

    await patient()
    assert (future.cancelled(), heard) == (True, ["late"])


async def test_who_no_longer_wants_to_hear_does_not() -> None:
    future, heard = Prompt[str](), list[object]()
    future.add_done_callback(heard.append)
    assert future.remove_done_callback(heard.append) == 1
    future.set_result("here")
    await asyncio.sleep(0)
    assert heard == []
