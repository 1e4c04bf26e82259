"""RabbitMQ: killed, stopped, hung, alarmed, full, and without what should be there."""

import json
from contextlib import ExitStack
from functools import partial

from chaos.scenario import suite
from chaos.stage import Stage
from chaos.waiting import until
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
    limit = partial(stage.system.rabbitmqctl, "set_vm_memory_high_watermark")
    stage.refused_while("memory alarm", partial(limit, "0.000001"), partial(limit, "0.4"), lasting=(4, 8))


@suite.scenario("F2")
def disk_alarm(stage: Stage) -> None:
    """A disk alarm blocks publishers as a memory alarm does: no 202 while nothing is confirmed, and no message is doubled by it."""
    limit = partial(stage.system.rabbitmqctl, "set_disk_free_limit")
    stage.refused_while("disk alarm", partial(limit, "999999GB"), partial(limit, "200MB"), lasting=(4, 8))


@suite.scenario("F2")
def connections_closed(stage: Stage) -> None:
    """Every connection is closed by the broker, with publishes, deliveries and acknowledgements under way."""
    for _ in stage.moments(3):
        there = stage.system.connections()
        stage.say(f"close_all_connections: {len(there)}")
        # Without it those of the virtual host "/" alone, of which there are none.
        stage.system.rabbitmqctl("close_all_connections", "--global", "chaos")
        until(lambda there=there: not there & stage.system.connections(), seconds=30, what="every connection closed by the broker")


@suite.scenario("F4")
def full_queue(stage: Stage) -> None:
    """The queue is full and refuses (nack): 503, never 202, for what is not in it."""
    limit = json.dumps({"max-length": 1, "delivery-limit": 20})
    policy = ("-p", "smsgw", "chaos-full")
    full = partial(stage.system.rabbitmqctl, "set_policy", *policy, _LIMITED, limit, "--priority", "100", "--apply-to", "queues")
    with ExitStack() as frozen:

        def begin() -> None:
            full()
            frozen.enter_context(stage.frozen("intake"))

        def end() -> None:
            frozen.close()
            stage.system.rabbitmqctl("clear_policy", *policy)

        stage.refused_while("the queue takes one message", begin, end, lasting=(3, 6))


@suite.scenario("F4")
def missing_binding(stage: Stage) -> None:
    """A queue is not bound any more: what nobody would get is returned, and answered 503, until somebody binds it again."""
    binding = (topology.SUBMISSIONS, topology.EXCHANGE, topology.SUBMISSIONS)
    with stage.broker_channel() as channel:
        stage.refused_while("unbind", partial(channel.queue_unbind, *binding), partial(channel.queue_bind, *binding), lasting=(2, 4))


@suite.scenario("F9", only_accepted=True)
def hints_purged(stage: Stage) -> None:
    """Celery's queues are emptied again and again, also while nobody is there to take hints: what is due stands in PostgreSQL."""
    with stage.broker_channel() as channel:

        def purge() -> None:
            for queue in topology.CELERY_QUEUES:
                channel.queue_purge(queue)

        for _ in stage.moments(6, least=0.1, most=0.6):
            purge()
        for _ in stage.moments(2):
            with stage.stopped("worker", "worker-otp"):
                stage.accepted(10)
                purge()
