"""Hints say that there may be work, and nothing else: lost, doubled or in any order, each message goes out once."""

import json
import random
import threading
import time
from collections.abc import Callable

import pytest
from celery import current_app
from django.db import connection

from sms_backend.core import broker
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.models import Message
from sms_backend.messages.sweep import lanes_due
from sms_backend.pipeline import tasks, upkeep
from sms_contract import topology
from sms_contract.envelope import Submission

Live = Callable[..., Submission]


def hinted(queue: str, *, seconds: float = 10) -> list[object]:
    """The arguments of the next hint in a queue."""
    deadline = time.monotonic() + seconds
    with current_app.connection_for_read() as broker_connection:
        while time.monotonic() < deadline:
            message = broker_connection.default_channel.basic_get(queue, no_ack=True)
            if message is not None:
                return list(json.loads(message.body)[0])
            upkeep.tick()
            time.sleep(0.05)
    raise AssertionError(f"no hint came to {queue}")


@pytest.fixture
def queues(rabbitmq_url: str) -> None:
    broker.declare_topology()
    with current_app.connection_for_read() as broker_connection:
        for queue in topology.DISPATCH.values():
            broker_connection.default_channel.queue_purge(queue)


def test_a_lost_hint_is_given_again_by_the_tick(vendor, live: Live, queues: None) -> None:
    vendor.add("alpha")
    made = [live() for _ in range(5)]
    hinted(topology.DISPATCH["transactional"])
    assert vendor.calls == {}, "it was lost: nobody has heard it"
    tasks.dispatch(*hinted(topology.DISPATCH["transactional"]))
    assert vendor.calls == {"alpha": len(made)}
    with hot_cursor() as cursor:
        assert lanes_due(cursor) == []


def test_ten_times_the_hints_at_once_and_in_any_order_send_nothing_twice(vendor, live: Live) -> None:
    vendor.add("alpha")
    lanes = ("otp", "transactional", "promotional")
    made = [live(traffic_type=lane) for lane in lanes for _ in range(40)]
    hints = [(lane, slot) for lane in lanes for slot in (0, 1)] * 10
    random.Random(4).shuffle(hints)

    def work(mine: list[tuple[str, int]]) -> None:
        for lane, slot in mine:
            tasks.dispatch(lane, slot)
        connection.close()

    workers = [threading.Thread(target=work, args=(hints[n::2],)) for n in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    assert sorted(sms.tracking_id for _, sms in vendor.got) == sorted(each.tracking_id for each in made)
    assert not Message.objects.exclude(status="sent").exists()
