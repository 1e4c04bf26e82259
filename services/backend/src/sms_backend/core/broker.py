"""RabbitMQ, where Server B speaks to it outside intake and Celery: declaring, looking, publishing a parked message again."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import amqp
from amqp.exceptions import AMQPError, PreconditionFailed
from kombu import Connection, Exchange, Queue

from sms_backend.core.environment import environment
from sms_backend.core.errors import ConflictError, UnreachableError
from sms_contract import topology

_TIMEOUT = 5.0


@contextmanager
def channel() -> Iterator[Any]:
    """A channel of a connection of its own. Raises `UnreachableError`."""
    try:
        with Connection(str(environment.rabbitmq_url), connect_timeout=_TIMEOUT, transport_options={"confirm_publish": True}) as connection:
            connection.connect()
            yield connection.default_channel
    except PreconditionFailed:
        raise
    except (AMQPError, OSError) as error:
        raise UnreachableError(f"RabbitMQ does not answer ({type(error).__name__})") from error


def declare_topology() -> list[str]:
    """Make every exchange and queue that is not there; returns the queues. Raises `ConflictError`, `UnreachableError`."""
    queues = [
        *topology.QUEUES,
        *(topology.Queue(name=name, exchange=topology.CELERY_EXCHANGE, arguments=dict(topology.QUORUM)) for name in topology.CELERY_QUEUES),
    ]
    exchanges = {
        name: Exchange(name, type=kind, durable=True) for name, kind in (topology.EXCHANGES | {topology.CELERY_EXCHANGE: "direct"}).items()
    }
    try:
        with channel() as open_channel:
            for queue in queues:
                exchange = exchanges[queue.exchange]
                Queue(queue.name, exchange, queue.name, durable=True, queue_arguments=dict(queue.arguments))(open_channel).declare()
    except PreconditionFailed as error:
        raise ConflictError(
            f"RabbitMQ has an exchange or a queue that is not as this version needs it: {error.reply_text}; "
            "empty it, delete it, and run `prepare` again"
        ) from error
    return [queue.name for queue in queues]


def depths() -> dict[str, int]:
    """Messages ready in each queue. Raises `UnreachableError`."""
    names = [queue.name for queue in topology.QUEUES] + list(topology.CELERY_QUEUES)
    with channel() as open_channel:
        return {name: open_channel.queue_declare(name, passive=True).message_count for name in names}


def publish(queue: str, body: bytes, *, headers: Mapping[str, Any], kind: str, message_id: str) -> None:
    """Put a message into a queue, and wait for the broker's confirm. Raises `UnreachableError`."""
    message = amqp.Message(
        body, content_type="application/json", delivery_mode=2, type=kind, message_id=message_id, application_headers=dict(headers)
    )
    with channel() as open_channel:
        open_channel.basic_publish_confirm(message, exchange="", routing_key=queue, mandatory=True, timeout=_TIMEOUT)
