"""
A submission between admission and its confirm: handed from one group to the next without waking its task in between.

Only what admission simply admits goes this way. Everything else (replays, refusals, take-overs, errors) wakes the task at once, which sees
to it by itself.
"""

import asyncio

from sms_gateway.admission.reserve import Claim, Verdict
from sms_gateway.admission.settle import Reservation
from sms_gateway.broker import Confirmation
from sms_gateway.publisher import Publisher


class Passage:
    """What has become of it so far; `ended` has what the task is woken with."""

    __slots__ = ("_deadline", "_entry", "_publisher", "_queue", "claim", "ended", "reservation", "verdict")

    def __init__(self, claim: Claim, publisher: Publisher, *, queue: str, entry: bytes, deadline: float) -> None:
        self.claim = claim
        self._publisher = publisher
        self._queue = queue
        self._entry = entry
        self._deadline = deadline
        self.verdict: Verdict | None = None
        #: Set once it is with the publisher: from then on `ended` speaks of the broker, before that of admission.
        self.reservation: Reservation | None = None
        self.ended: asyncio.Future[Verdict | Confirmation | Exception] = asyncio.get_running_loop().create_future()

    def judged(self, verdict: Verdict | Exception) -> None:
        """Hear what admission says."""
        if isinstance(verdict, Verdict) and verdict.kind == "n":
            claim = self.claim
            self.verdict = verdict
            self.reservation = Reservation(claim, claim.id, claim.day)
            self._publisher.gather(self._queue, self._entry, self.reservation, self._end, deadline=self._deadline)
        else:
            self._end(verdict)

    def _end(self, what: Verdict | Confirmation | Exception) -> None:
        if not self.ended.done():
            self.ended.set_result(what)
