"""How long intake gathers before a commit."""

import asyncio
from types import SimpleNamespace
from uuid import uuid4

import pytest

from sms_backend.pipeline import consumer
from sms_contract import topology


@pytest.fixture
def slept(monkeypatch):
    seconds = []

    async def sleep(delay):
        seconds.append(delay)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return seconds


async def gather(waits, *, queue=topology.SUBMISSIONS, messages=1, size=10):
    intake = consumer.Intake(uuid4(), None)
    for _ in range(messages):
        intake._waiting[queue].append(consumer.Held(queue, SimpleNamespace(body=b"x" * size)))
    await intake._gather(waits)


async def test_a_busy_intake_waits_for_more(slept):
    await gather(3)
    assert slept == [consumer._BATCH_WAIT] * 3


async def test_an_idle_one_waits_as_little_as_ever(slept):
    await gather(1)
    assert slept == [consumer._BATCH_WAIT]


async def test_a_one_time_password_keeps_nobody_waiting(slept):
    await gather(3, queue=topology.SUBMISSIONS_OTP)
    assert slept == [consumer._BATCH_WAIT]


@pytest.mark.parametrize("much", [{"messages": consumer._PREFETCH}, {"size": consumer._BATCH_BYTES}])
async def test_who_has_all_that_a_commit_takes_does_not_wait(slept, much):
    await gather(3, **much)
    assert slept == [0]
