"""What a faulty or newer gateway would leave in the queues."""

import amqp
from system import System

from sms_contract import topology


def publish(system: System, queue: str, body: bytes, *, message_id: str) -> None:
    """To a queue of the system's, by the address that its status names."""
    services = system.run("status", "--json")["services"]
    url = next(each["url"] for each in services if each["name"] == "rabbitmq")
    credentials, _, place = url.removeprefix("amqp://").rpartition("@")
    user, _, password = credentials.partition(":")
    host, _, vhost = place.partition("/")
    connection = amqp.Connection(host, userid=user, password=password, virtual_host=vhost, confirm_publish=True)
    with connection:
        message = amqp.Message(body, message_id=message_id, delivery_mode=2)
        connection.channel().basic_publish(message, exchange=topology.EXCHANGE, routing_key=queue)
