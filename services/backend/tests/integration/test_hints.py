"""What hints and ticks look like to the broker."""

import amqp
import pytest

from sms_backend.config.celery import app
from sms_backend.core import broker
from sms_backend.pipeline import hints
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
