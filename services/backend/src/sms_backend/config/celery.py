"""
The Celery app: hints over RabbitMQ, nothing else.

No result backend, no countdown, no retry, no canvas: PostgreSQL says what is due. Source of the settings: https://docs.celeryq.dev/en/stable/userguide/configuration.html
"""

import os
from typing import Any

from celery import Celery, bootsteps
from celery.signals import after_task_publish, setup_logging, worker_ready
from celery.worker.consumer import Consumer
from celery.worker.consumer.delayed_delivery import DelayedDelivery
from celery.worker.consumer.tasks import Tasks
from kombu import Exchange, Queue

from sms_contract import topology

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sms_backend.config.settings")

from sms_backend.core import alive, collector
from sms_backend.core.environment import environment
from sms_backend.pipeline.schedule import SCHEDULE


class HintConsumer(Consumer):
    """Celery's consumer without delayed delivery, which would declare 28 queues that nothing here uses (kombu, native delayed delivery)."""

    class Blueprint(Consumer.Blueprint):
        """Its steps, less one."""

        def claim_steps(self) -> dict[str, bootsteps.Step]:
            """What the blueprint is made of."""
            return {
                name: step for name, step in super().claim_steps().items() if step is not DelayedDelivery and name != DelayedDelivery.name
            }


_exchange = Exchange(topology.CELERY_EXCHANGE, type="direct", durable=True)

app = Celery("sms_backend")
app.conf.update(
    broker_url=str(environment.rabbitmq_url),
    broker_transport_options={"confirm_publish": True},
    broker_heartbeat=10,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_connection_timeout=5,
    broker_pool_limit=4,
    task_queues=[Queue(name, _exchange, name, queue_arguments=dict(topology.QUORUM)) for name in topology.CELERY_QUEUES],
    task_default_queue=topology.UPKEEP,
    task_default_exchange=topology.CELERY_EXCHANGE,
    task_default_exchange_type="direct",
    task_default_routing_key=topology.UPKEEP,
    task_create_missing_queues=False,
    worker_detect_quorum_queues=True,
    worker_consumer=f"{__name__}:HintConsumer",
    task_acks_late=False,
    task_ignore_result=True,
    result_backend=None,
    task_serializer="json",
    accept_content=["json"],
    worker_prefetch_multiplier=1,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_soft_shutdown_timeout=30,
    worker_enable_soft_shutdown_on_idle=False,
    beat_schedule=SCHEDULE,
    timezone="UTC",
    enable_utc=True,
    imports=("sms_backend.pipeline.tasks", "sms_backend.console.tasks"),
)


class Alive(bootsteps.StartStopStep):
    """Touches the process's file from the loop that fetches tasks, while it consumes."""

    requires = (Tasks,)

    def __init__(self, consumer: Consumer, **options: object) -> None:
        super().__init__(consumer, **options)
        self._entry: Any = None

    def start(self, consumer: Consumer) -> None:
        """Begin, also anew after each reconnect."""
        alive.touch()
        self._entry = consumer.timer.call_repeatedly(alive.INTERVAL, alive.touch)

    def stop(self, _consumer: Consumer) -> None:
        """Say nothing while the broker is away."""
        if self._entry is not None:
            self._entry.cancel()
            self._entry = None


app.steps["consumer"].add(Alive)


@after_task_publish.connect
def _beat_works(**_: object) -> None:
    """Beat has nothing but its ticks to show."""
    alive.touch()


@worker_ready.connect
def _settle(**_: object) -> None:
    """All that a worker needs is there."""
    collector.settle()


@setup_logging.connect
def _keep_our_logs(**_: object) -> None:
    """Celery must not put its own handlers over ours."""
