"""
RabbitMQ: the exchanges and queues that both servers declare, alike to the letter.

Dead-lettering is a queue argument, so that no server can be without it; sizes and delivery limits are policies (`deploy/rabbitmq`).
Every argument is understood by RabbitMQ 3.10 and 4.x. Source: https://www.rabbitmq.com/docs/quorum-queues
"""

from dataclasses import dataclass, field
from typing import Final

EXCHANGE: Final = "sms"  #: direct; the routing key is the queue's name
DEAD_LETTERS: Final = "sms.dlx"  #: fanout; ends in `sms.parked`

SUBMISSIONS_OTP: Final = "sms.submissions.otp"
SUBMISSIONS: Final = "sms.submissions"
CONTROL: Final = "sms.control"
CALLBACKS: Final = "sms.callbacks"
PARKED: Final = "sms.parked"

#: Celery's queues: hints that there may be work, which nobody misses for more than a second.
DISPATCH = {lane: f"dispatch.{lane}" for lane in ("otp", "transactional", "promotional")}
RECEIPTS: Final = "receipts"
WEBHOOKS: Final = "webhooks"
UPKEEP: Final = "upkeep"
CELERY_EXCHANGE: Final = "sms.tasks"
CELERY_QUEUES = (*DISPATCH.values(), RECEIPTS, WEBHOOKS, UPKEEP)

QUORUM: Final = {"x-queue-type": "quorum"}
DURABLE_WORK: Final = {
    **QUORUM,
    "x-dead-letter-exchange": DEAD_LETTERS,
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}


@dataclass(frozen=True, kw_only=True)
class Queue:
    """A durable queue, bound to `exchange` by its own name."""

    name: str
    exchange: str = EXCHANGE
    arguments: dict[str, str] = field(default_factory=lambda: dict(DURABLE_WORK))


#: What the gateway publishes to and intake consumes, most urgent first.
INTAKE_QUEUES = (
    Queue(name=SUBMISSIONS_OTP),
    Queue(name=CONTROL),
    Queue(name=SUBMISSIONS),
    Queue(name=CALLBACKS),
)
PARKED_QUEUE = Queue(name=PARKED, exchange=DEAD_LETTERS, arguments=dict(QUORUM))
QUEUES = (PARKED_QUEUE, *INTAKE_QUEUES)
EXCHANGES = {EXCHANGE: "direct", DEAD_LETTERS: "fanout"}


def submissions_queue(traffic_type: str) -> str:
    """The queue that a submission of a lane is published to."""
    return SUBMISSIONS_OTP if traffic_type == "otp" else SUBMISSIONS
