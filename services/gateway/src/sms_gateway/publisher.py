"""Publishing in groups: many entries, one AMQP message, one confirm."""

from collections.abc import Sequence

import structlog

from sms_contract import topology
from sms_contract.envelope import CALLBACK_V1, CANCEL_V1, MAX_ENVELOPE, SUBMISSION_V1, encode_envelope
from sms_gateway.broker import Broker, Confirmation
from sms_gateway.coalescer import Coalescer, UnansweredError, WithdrawnError
from sms_gateway.observability.metrics import flush_observer

log = structlog.get_logger()

#: Room for the envelope around its entries.
MAX_ENTRIES_BYTES = MAX_ENVELOPE - 1024


class Publisher:
    """Publishes entries, each with a fate of its own, and whole envelopes."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        kinds = {
            topology.SUBMISSIONS_OTP: SUBMISSION_V1,
            topology.SUBMISSIONS: SUBMISSION_V1,
            topology.CONTROL: CANCEL_V1,
            topology.CALLBACKS: CALLBACK_V1,
        }
        self._queues = {queue: self._coalescer(queue, kind) for queue, kind in kinds.items()}

    def waiting(self, queue: str) -> int:
        """How many entries for a queue are under way."""
        return self._queues[queue].load

    async def publish(self, queue: str, entry: bytes, *, deadline: float) -> Confirmation:
        """Publish one entry, together with others for the same queue."""
        try:
            # One byte for the comma after it.
            return await self._queues[queue].submit(entry, size=len(entry) + 1, deadline=deadline)
        except WithdrawnError:
            return Confirmation.NOT_QUEUED
        except UnansweredError:
            return Confirmation.UNCONFIRMED

    async def publish_envelope(self, queue: str, body: bytes, *, kind: str, deadline: float) -> Confirmation:
        """Publish a whole envelope, as a batch is one."""
        return await self._broker.publish(queue, body, kind=kind, deadline=deadline)

    async def drain(self) -> None:
        for coalescer in self._queues.values():
            await coalescer.drain()

    def _coalescer(self, queue: str, kind: str) -> Coalescer[bytes, Confirmation]:
        async def flush(entries: list[bytes], deadline: float) -> Sequence[Confirmation]:
            confirmation = await self._broker.publish(queue, encode_envelope(kind, entries), kind=kind, deadline=deadline)
            return [confirmation] * len(entries)

        return Coalescer(flush, max_bytes=MAX_ENTRIES_BYTES, max_in_flight=2, observe=flush_observer(queue))
