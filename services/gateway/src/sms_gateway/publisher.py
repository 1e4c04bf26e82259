"""Publishing in groups: many entries, one AMQP message, one confirm, and one write that finishes their reservations."""

from collections.abc import Callable, Sequence
from typing import Final

from sms_contract import topology
from sms_contract.envelope import CALLBACK_V1, CANCEL_V1, MAX_ENVELOPE, SUBMISSION_V1, encode_envelope
from sms_gateway.admission.settle import End, Reservation, Settler
from sms_gateway.broker import Broker, Confirmation
from sms_gateway.coalescer import MOST_IN_FLIGHT, Coalescer, UnansweredError, WithdrawnError
from sms_gateway.observability.metrics import flush_observer

#: Room for the envelope around its entries.
MAX_ENTRIES_BYTES: Final = MAX_ENVELOPE - 1024

#: Envelopes of callbacks under way at a time.
_CALLBACK_FLIGHTS: Final = 2

#: What a group's confirmation means for the reservations in it.
_ENDS: Final[dict[Confirmation, End]] = {
    Confirmation.CONFIRMED: "done",
    Confirmation.NOT_QUEUED: "release",
    Confirmation.UNCONFIRMED: "leave",
}

type Item = tuple[bytes, Reservation | None]


class Publisher:
    """Publishes entries, each with a fate of its own, and whole envelopes."""

    def __init__(self, broker: Broker, settler: Settler) -> None:
        self._broker = broker
        self._settler = settler
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

    async def publish(self, queue: str, entry: bytes, reservation: Reservation | None = None, *, deadline: float) -> Confirmation:
        """Publish one entry, together with others for the same queue, and settle its reservation."""
        end: Confirmation | Exception
        try:
            # One byte for the comma after it.
            end = await self._queues[queue].submit((entry, reservation), size=len(entry) + 1, deadline=deadline)
        except (WithdrawnError, UnansweredError) as error:
            end = error
        return await self.settled(end, reservation)

    def gather(
        self, queue: str, entry: bytes, reservation: Reservation, then: Callable[[Confirmation | Exception], None], *, deadline: float
    ) -> None:
        """Put one entry where the next envelope for its queue finds it; `then` hears what `settled` makes a confirmation of."""
        self._queues[queue].gather((entry, reservation), then, size=len(entry) + 1, deadline=deadline)

    def begin(self) -> None:
        """Publish what has been gathered, in this very moment."""
        for coalescer in self._queues.values():
            coalescer.begin()

    async def settled(self, end: Confirmation | Exception, reservation: Reservation | None) -> Confirmation:
        """What an entry's end means. A flush settles the reservations in it; one whose deadline it did not keep is settled here."""
        if isinstance(end, Confirmation):
            return end
        if isinstance(end, WithdrawnError):
            confirmation = Confirmation.NOT_QUEUED
        elif isinstance(end, UnansweredError):
            confirmation = Confirmation.UNCONFIRMED
        else:
            raise end
        if reservation is not None:
            await self._settler.settle([reservation], _ENDS[confirmation])
        return confirmation

    async def publish_envelope(self, queue: str, body: bytes, *, kind: str, deadline: float) -> Confirmation:
        """Publish a whole envelope, as a batch is one."""
        return await self._broker.publish(queue, body, kind=kind, deadline=deadline)

    async def drain(self) -> None:
        for coalescer in self._queues.values():
            await coalescer.drain()

    def _coalescer(self, queue: str, kind: str) -> Coalescer[Item, Confirmation]:
        async def flush(items: list[Item], deadline: float) -> Sequence[Confirmation]:
            body = encode_envelope(kind, [entry for entry, _ in items])
            confirmation = await self._broker.publish(queue, body, kind=kind, deadline=deadline)
            reservations = [reservation for _, reservation in items if reservation is not None]
            if reservations:
                await self._settler.settle(reservations, _ENDS[confirmation])
            return [confirmation] * len(items)

        # Nobody waits for a report's answer as a client does: fewer at a time carry more, which is less for everybody behind them.
        most = _CALLBACK_FLIGHTS if queue == topology.CALLBACKS else MOST_IN_FLIGHT
        return Coalescer(flush, max_in_flight=most, max_bytes=MAX_ENTRIES_BYTES, observe=flush_observer(queue))
