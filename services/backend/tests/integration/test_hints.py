"""What hints and ticks look like to the broker."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import Mock

import amqp
import pytest
from kombu import Queue

from sms_backend.config.celery import app
from sms_backend.core import broker
from sms_backend.core.cache import cache
from sms_backend.messages import claim
from sms_backend.pipeline import dispatch, hints, tasks
from sms_backend.pipeline.schedule import SCHEDULE
from sms_contract import topology
from sms_stack.pytest_services import address_of


def _waiting(url: str, queue: str) -> amqp.Message:
    with amqp.Connection(**address_of(url)) as connection:
        message = connection.channel().basic_get(queue, no_ack=True)
    assert message is not None
    return message


@pytest.fixture
def queues(rabbitmq_url: str) -> str:
    broker.declare_topology()
    return rabbitmq_url


def test_a_hint_expires_by_the_brokers_clock_and_no_workers(queues: str) -> None:
    hints.hint_dispatch(["transactional"])
    message = _waiting(queues, topology.DISPATCH["transactional"])
    assert message.properties["expiration"] == "10000"
    assert message.headers["expires"] is None


@pytest.mark.parametrize("name", SCHEDULE)
def test_a_tick_expires_by_the_brokers_clock_and_no_workers(queues: str, name: str) -> None:
    entry = SCHEDULE[name]
    app.send_task(entry["task"], **entry["options"])
    message = _waiting(queues, entry["options"]["queue"])
    assert int(message.properties["expiration"]) >= 2000
    assert message.headers["expires"] is None


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """What is logged, in the place of a logger that may have been set up for good by then."""
    log = Mock()
    monkeypatch.setattr(hints, "log", log)
    return log


@contextmanager
def _declared_anew(url: str, queue: str, arguments: dict[str, object]) -> Iterator[None]:
    with amqp.Connection(**address_of(url)) as connection:
        channel = connection.channel()
        channel.queue_delete(queue)
        channel.queue_declare(queue, durable=True, auto_delete=False, arguments=arguments)
        try:
            yield
        finally:
            channel.queue_delete(queue)


def test_a_hint_that_is_refused_is_tried_on_another_connection(queues: str, told: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel that has lost sight of a quorum queue's leader is refused for good; a queue of no length refuses alike."""
    nothing: dict[str, object] = {"x-overflow": "reject-publish", "x-max-length": 0}
    monkeypatch.setitem(app.amqp.queues, topology.RECEIPTS, Queue(topology.RECEIPTS, queue_arguments=nothing))
    hints.hint_webhooks()  # there is a connection now
    made: list[amqp.Connection] = []
    connect = amqp.Connection.connect

    def connected(connection: amqp.Connection) -> None:
        made.append(connection)
        connect(connection)

    monkeypatch.setattr(amqp.Connection, "connect", connected)
    with _declared_anew(queues, topology.RECEIPTS, nothing):
        hints.hint_receipts()
    assert made
    told.warning.assert_called_once_with("hint.lost", task="pipeline.receipts", error="OperationalError")


def test_a_queue_that_somebody_has_declared_otherwise_costs_a_hint_and_nothing_else(queues: str, told: Mock) -> None:
    with _declared_anew(queues, topology.RECEIPTS, {"x-max-length": 7}):
        hints.hint_receipts()
    told.warning.assert_called_once_with("hint.lost", task="pipeline.receipts", error="PreconditionFailed")


def test_a_hint_is_outstanding_until_the_claim_that_it_leads_to(queues: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hints.hint_dispatch(["transactional"])
    outstanding: dict[str, object] = {}

    def look(when: str) -> None:
        outstanding[when] = cache.exists("sms:hint:transactional:0")

    wait, due = dispatch.pace.wait, claim.due

    def waiting(lane: str, slot: int | None = None) -> set[int] | None:
        look("gathering")
        return wait(lane, slot)

    def claiming(cursor: Any, **how: Any) -> list[Any]:
        look("claiming")
        return due(cursor, **how)

    monkeypatch.setattr(dispatch.pace, "wait", waiting)
    monkeypatch.setattr(claim, "due", claiming)
    tasks.dispatch("transactional", 0)
    assert outstanding == {"gathering": 1, "claiming": 0}
