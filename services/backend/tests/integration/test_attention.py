"""Who is at it needs no hint, and misses nothing when he goes."""

import time
from collections import deque

import amqp
import pytest

from sms_backend.core import broker
from sms_backend.core.cache import cache
from sms_backend.pipeline import attention, hints
from sms_contract import topology
from sms_stack.pytest_services import address_of


@pytest.fixture
def queues(rabbitmq_url: str) -> str:
    broker.declare_topology()
    with amqp.Connection(**address_of(rabbitmq_url)) as connection:
        connection.channel().queue_purge(topology.RECEIPTS)
    return rabbitmq_url


def _hinted(url: str) -> bool:
    with amqp.Connection(**address_of(url)) as connection:
        return connection.channel().basic_get(topology.RECEIPTS, no_ack=True) is not None


def test_a_hint_is_for_those_who_sleep(queues: str) -> None:
    heard: list[bool] = []

    def work() -> int:
        hints.hint_receipts()
        heard.append(_hinted(queues))
        return 1 if len(heard) < 3 else 0

    attention.attend("receipts", work, until=time.monotonic() + 60)
    # At the last look the hint has been taken back already: what is hinted at then may have come after it.
    assert heard[:-1] == [False] * (len(heard) - 1)
    assert heard[-1]
    assert len(heard) > 4


def test_what_comes_late_is_seen_by_the_last_look() -> None:
    due: deque[int] = deque()
    seen: list[int] = []

    def work() -> int:
        if not cache.exists("sms:hint:receipts:0"):
            due.append(7)  # whoever brought it has found a hint outstanding a moment before, and sent none
        done = list(due)
        due.clear()
        seen.extend(done)
        return len(done)

    attention.attend("receipts", work, until=time.monotonic() + 60)
    assert seen == [7]


def test_a_backlog_wakes_others(queues: str) -> None:
    hinted: list[bool] = []

    def work() -> int:
        if hinted:
            return 0
        hinted.append(False)
        return 100_000

    def pause(_seconds: float) -> None:
        hints.hint_receipts()
        hinted.append(_hinted(queues))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention.time, "sleep", pause)
        attention.attend("receipts", work, until=time.monotonic() + 60)
    assert hinted[1]


def test_it_ends_in_time() -> None:
    looks: list[float] = []

    def work() -> int:
        looks.append(time.monotonic())
        return 1

    until = time.monotonic() + 0.2
    attention.attend("receipts", work, until=until)
    assert sum(look > until for look in looks) == 1
