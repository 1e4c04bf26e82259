"""RabbitMQ: killed, stopped, hung, alarmed, full, and without what should be there."""

import json

from chaos.scenario import suite
from chaos.stage import Stage
from sms_contract import topology

_LIMITED = f"^{topology.SUBMISSIONS}$".replace(".", "\\.")


@suite.scenario("F2", fast=True)
def broker_killed(stage: Stage) -> None:
    """The broker is killed during accepts: 503 until it is back, and nothing that it had confirmed is gone."""
    for _ in stage.moments(1):
        stage.kill("rabbitmq")
        stage.answered(503)


@suite.scenario("F16")
def broker_restarted_again_and_again(stage: Stage) -> None:
    """The broker stops and starts five times: every process connects again, consumes again, and none is left behind."""
    for _ in stage.moments(5):
        stage.say("stop_app, start_app")
        stage.system.rabbitmqctl("stop_app")
        stage.system.rabbitmqctl("start_app")


@suite.scenario("F2")
def broker_frozen(stage: Stage) -> None:
    """The broker hangs with every connection open: 503 within the deadline, and it heals without a restart."""
    for _ in stage.moments(1):
        with stage.frozen("rabbitmq"):
            stage.answered(503)
            stage.last(12, 20)


@suite.scenario("F2")
def memory_alarm(stage: Stage) -> None:
    """A memory alarm blocks publishers without a word: no 202 while nothing is confirmed, and what got through is one message each."""
    for _ in stage.moments(1):
        stage.say("memory alarm")
        stage.system.rabbitmqctl("set_vm_memory_high_watermark", "0.000001")
        try:
            stage.answered(503)
            stage.last(4, 8)
        finally:
            stage.system.rabbitmqctl("set_vm_memory_high_watermark", "0.4")


@suite.scenario("F2")
def disk_alarm(stage: Stage) -> None:
    """A disk alarm blocks publishers as a memory alarm does: no 202 while nothing is confirmed, and no message is doubled by it."""
    for _ in stage.moments(1):
        stage.say("disk alarm")
        stage.system.rabbitmqctl("set_disk_free_limit", "999TB")
        try:
            stage.answered(503)
            stage.last(4, 8)
        finally:
            stage.system.rabbitmqctl("set_disk_free_limit", "200MB")


@suite.scenario("F2")
def connections_closed(stage: Stage) -> None:
    """Every connection is closed by the broker, with publishes, deliveries and acknowledgements under way."""
    for _ in stage.moments(3):
        stage.say("close_all_connections")
        stage.system.rabbitmqctl("close_all_connections", "chaos")


@suite.scenario("F4")
def full_queue(stage: Stage) -> None:
    """The queue is full and refuses (nack): 503, never 202, for what is not in it."""
    limit = json.dumps({"max-length": 1, "delivery-limit": 20})
    for _ in stage.moments(1):
        stage.say("the queue takes one message")
        stage.system.rabbitmqctl("set_policy", "-p", "smsgw", "chaos-full", _LIMITED, limit, "--priority", "100", "--apply-to", "queues")
        try:
            with stage.frozen("intake"):
                stage.answered(503)
                stage.last(3, 6)
        finally:
            stage.system.rabbitmqctl("clear_policy", "-p", "smsgw", "chaos-full")


@suite.scenario("F4")
def missing_binding(stage: Stage) -> None:
    """A queue is not bound any more: what nobody would get is returned, and answered 503, until somebody binds it again."""
    with stage.broker_channel() as channel:
        for _ in stage.moments(1):
            stage.say("unbind")
            channel.queue_unbind(topology.SUBMISSIONS, topology.EXCHANGE, topology.SUBMISSIONS)
            try:
                stage.answered(503)
                stage.last(2, 4)
            finally:
                channel.queue_bind(topology.SUBMISSIONS, topology.EXCHANGE, topology.SUBMISSIONS)


@suite.scenario("F9", only_accepted=True)
def hints_purged(stage: Stage) -> None:
    """Celery's queues are emptied again and again: what is due stands in PostgreSQL."""
    with stage.broker_channel() as channel:
        for _ in stage.moments(8, least=0.1, most=0.6):
            for queue in topology.CELERY_QUEUES:
                channel.queue_purge(queue)
