"""
A batch's way: one reservation, one admission, one AMQP message, one confirm, for a thousand messages as for one.

What all its messages share travels once, as the envelope's `defaults`. The reservation is kept under the batch id and carries the whole
answer, with the tracking ids in it: whoever takes it over publishes the same messages again.
"""

import asyncio
from typing import Any, Final, Literal

import msgspec

from sms_contract import message as view
from sms_contract.envelope import MAX_ENVELOPE, MAX_EXPANDED, SUBMISSION_V1, Submission, encode_envelope
from sms_contract.ids import created_ms, uuid7
from sms_contract.keyspace import idempotency_digest
from sms_contract.status import Status
from sms_contract.topology import SUBMISSIONS, SUBMISSIONS_OTP
from sms_gateway.admission.reserve import Admission, Claim, Purpose, Verdict
from sms_gateway.admission.settle import End, Reservation, Settler
from sms_gateway.batch_reading import STRETCH, Reading, fingerprint_of, judge, read_batch, refused_items
from sms_gateway.broker import Confirmation
from sms_gateway.cache import CacheError
from sms_gateway.clock import Calendar, Clock, Day
from sms_gateway.directory import Directory, Principal
from sms_gateway.drafts import Draft
from sms_gateway.entropy import entropy
from sms_gateway.json_body import parse
from sms_gateway.problems import Mistake, Problem
from sms_gateway.publisher import Publisher
from sms_gateway.schema_batches import AcceptedItem, BatchAccepted, ItemError, RefusedItem
from sms_gateway.submission import DEADLINE, GRACE_MS, RefusedByAdmission, refused, submission_of

#: Batches that are worked on at a time, and that may wait for their turn: a thousand messages are a second's work of thirty.
AT_ONCE: Final = 8
WAITING: Final = 256

#: What every message has for itself.
_OWN: Final = frozenset({"tracking_id", "index", "to"})
_ENDS: Final[dict[Confirmation, End]] = {
    Confirmation.CONFIRMED: "done",
    Confirmation.NOT_QUEUED: "release",
    Confirmation.UNCONFIRMED: "leave",
}

_encode = msgspec.json.Encoder().encode


class _Known(msgspec.Struct):
    """A message in the answer of a batch's first try."""

    index: int
    tracking_id: str | None = None


class _First(msgspec.Struct):
    """The answer of a batch's first try."""

    messages: list[_Known]


_decode_first = msgspec.json.Decoder(_First).decode


class BatchRequest(msgspec.Struct, kw_only=True):
    """What came in."""

    principal: Principal
    body: bytes
    key: str | Problem | None  #: the `Idempotency-Key`, or what is wrong with it
    traceparent: str | None
    arrived: float  #: by the clock of the loop


class BatchOutcome(msgspec.Struct, kw_only=True):
    """What it came to."""

    kind: Literal["accepted", "replayed"]
    body: bytes
    batch_id: str
    used: int
    day: Day
    now_ms: int
    lanes: dict[str, int]  #: messages accepted now, by traffic type


class Batches:
    """Takes batches and sees them through."""

    def __init__(
        self, admission: Admission, *, publisher: Publisher, settler: Settler, directory: Directory, clock: Clock, calendar: Calendar
    ) -> None:
        self._admission = admission
        self._publisher = publisher
        self._settler = settler
        self._directory = directory
        self._clock = clock
        self._calendar = calendar
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[BatchOutcome]] = set()

    async def submit(self, request: BatchRequest) -> BatchOutcome:
        """See a batch through, whether or not its client waits for it. Raises `Problem`."""
        if len(self._tasks) >= AT_ONCE + WAITING:
            raise Problem("overloaded")
        task = asyncio.create_task(self._in_turn(request, request.arrived + DEADLINE))
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    async def drain(self) -> None:
        """Wait until all that is under way has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _done(self, task: asyncio.Task[BatchOutcome]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # its waiter, if it is still there, has it

    async def _in_turn(self, request: BatchRequest, deadline: float) -> BatchOutcome:
        try:
            async with asyncio.timeout_at(deadline):
                await self._turns.acquire()
        except TimeoutError:
            raise Problem("overloaded") from None
        try:
            return await self._carry(request, deadline)
        finally:
            self._turns.release()

    async def _carry(self, request: BatchRequest, deadline: float) -> BatchOutcome:
        principal = request.principal
        value = parse(request.body)
        fingerprint = fingerprint_of(value, request.body)
        if isinstance(request.key, Problem):
            raise request.key
        batch = read_batch(value)
        try:
            providers = await self._directory.providers()
        except CacheError as error:
            raise Problem("cache.unavailable") from error
        now_ms = self._clock.now_ms()
        digest = None if request.key is None else idempotency_digest(principal.mode, request.key)
        suspicious = b"\\u0000" in request.body
        reading = await judge(
            batch, principal, providers, fingerprint=fingerprint, idempotency=digest, now_ms=now_ms, suspicious=suspicious
        )
        errors, no_route = refused_items(reading, batch)
        day = self._calendar.day(principal.client.time_zone, now_ms)
        made = await _make(reading, errors, day=day, batch_id=uuid7(now_ms, entropy), traceparent=request.traceparent)
        if not made.drafts and not no_route and not reading.drafts:
            raise _all_refused(errors)
        claim = _claim(made, principal, day, fingerprint=fingerprint, digest=digest, now_ms=now_ms, no_route=no_route)

        verdict = await self._admit(claim, day, deadline)
        outcome = BatchOutcome(
            kind="replayed", body=verdict.answer, batch_id=verdict.id, used=verdict.used, day=day, now_ms=now_ms, lanes={}
        )
        if verdict.kind == "r":
            return outcome
        if verdict.kind not in {"n", "t"}:
            problem = refused(verdict, day, now_ms) or no_route or _all_refused(errors)
            raise RefusedByAdmission(problem, used=verdict.used, day=day)
        if verdict.kind == "t":
            made = await _again(reading, verdict, traceparent=request.traceparent)
        reservation = Reservation(claim, made.batch_id, verdict.day if verdict.kind == "t" else day.name)
        await self._publish(made, reservation, deadline)
        lanes: dict[str, int] = {}
        for draft in made.drafts:
            lanes[draft.traffic_type] = lanes.get(draft.traffic_type, 0) + 1
        return msgspec.structs.replace(outcome, kind="accepted", body=made.answer or verdict.answer, batch_id=made.batch_id, lanes=lanes)

    async def _admit(self, claim: Claim, day: Day, deadline: float) -> Verdict:
        try:
            async with asyncio.timeout_at(deadline):
                (verdict,) = await self._admission.flush([claim], deadline)
        except TimeoutError as error:
            verdict = error
        if isinstance(verdict, Exception):
            # The script may have run all the same; nothing was published, so it can be undone, behind the answer.
            self._settler.settle_later([Reservation(claim, claim.id, day.name)], "release")
            raise Problem("cache.unavailable") from verdict
        return verdict

    async def _publish(self, made: "_Made", reservation: Reservation, deadline: float) -> None:
        queue = SUBMISSIONS_OTP if all(draft.traffic_type == "otp" for draft in made.drafts) else SUBMISSIONS
        confirmation = await self._publisher.publish_envelope(queue, made.envelope, kind=SUBMISSION_V1, deadline=deadline)
        await self._settler.settle([reservation], _ENDS[confirmation])
        if confirmation is Confirmation.NOT_QUEUED:
            raise Problem("broker.unavailable")
        if confirmation is Confirmation.UNCONFIRMED:
            keyed = reservation.claim.idempotency is not None
            raise Problem("broker.unconfirmed", tracking_id=made.batch_id, retryable=keyed)


class _Made(msgspec.Struct, kw_only=True):
    """A batch as it is published and answered."""

    batch_id: str
    drafts: list[Draft]  #: those that are accepted
    segments: int
    envelope: bytes
    answer: bytes  #: empty where the first try's stands
    shown: list[tuple[str, bytes]]  #: tracking ids, and what `GET` shows of each


async def _make(reading: Reading, errors: dict[int, ItemError], *, day: Day, batch_id: str, traceparent: str | None) -> _Made:
    accepted = {index: draft for index, draft in reading.drafts.items() if index not in errors}
    shown: list[tuple[str, bytes]] = []
    answers: dict[int, AcceptedItem | RefusedItem] = {index: RefusedItem(index=index, error=error) for index, error in errors.items()}
    wire = _Wire()
    for number, (index, draft) in enumerate(accepted.items()):
        if number % STRETCH == STRETCH - 1:
            await asyncio.sleep(0)
        submission = submission_of(draft, day)
        submission.batch_id, submission.index, submission.traceparent = batch_id, index, traceparent
        wire.add(submission)
        shown.append((submission.tracking_id, _encode(view.accepted(submission, draft.content.segments))))
        answers[index] = AcceptedItem(
            index=index, tracking_id=submission.tracking_id, status=Status.ACCEPTED, segments=draft.content.segments
        )
    answer = BatchAccepted(
        batch_id=batch_id, accepted=len(accepted), rejected=len(errors), messages=[answers[index] for index in sorted(answers)]
    )
    return _Made(
        batch_id=batch_id,
        drafts=list(accepted.values()),
        segments=sum(draft.content.segments.count for draft in accepted.values()),
        envelope=wire.envelope(),
        answer=_encode(answer),
        shown=shown,
    )


async def _again(reading: Reading, verdict: Verdict, *, traceparent: str | None) -> _Made:
    """The same messages under the ids of the first try, whose confirm never came; they are charged to that try's day."""
    wire = _Wire()
    drafts: list[Draft] = []
    for known in _decode_first(verdict.answer).messages:
        if known.tracking_id is None:
            continue
        draft = reading.drafts.get(known.index)
        if draft is None:  # what is always refused was never admitted
            raise Problem("internal")
        if len(drafts) % STRETCH == STRETCH - 1:
            await asyncio.sleep(0)
        created = created_ms(known.tracking_id)
        submission = submission_of(draft, Day(name=verdict.day, starts_ms=0, ends_ms=0))
        submission.tracking_id = known.tracking_id
        submission.batch_id, submission.index, submission.traceparent = verdict.id, known.index, traceparent
        if submission.send_at is None:
            submission.expires_at += created - submission.reserved_at
        submission.reserved_at = created
        drafts.append(draft)
        wire.add(submission)
    return _Made(batch_id=verdict.id, drafts=drafts, segments=0, envelope=wire.envelope(), answer=b"", shown=[])


class _Wire:
    """Gathers submissions for one envelope; what the first of them says need not be said again."""

    def __init__(self) -> None:
        self._defaults: dict[str, Any] = {}
        self._encoded = b"{}"
        self._entries: list[bytes] = []
        self._expanded = 0

    def add(self, submission: Submission) -> None:
        """Take one more. Raises `Problem` where it becomes too much."""
        fields = msgspec.structs.asdict(submission)
        if not self._entries:
            self._defaults = {name: value for name, value in fields.items() if name not in _OWN}
            self._encoded = _encode(self._defaults)
        defaults = self._defaults
        entry = _encode({name: value for name, value in fields.items() if name in _OWN or value != defaults[name]})
        self._entries.append(entry)
        self._expanded += len(entry) + len(self._encoded)
        if self._expanded > MAX_EXPANDED:
            raise Problem("request.too_large", f"With its defaults written out a batch may have {MAX_EXPANDED} bytes.")

    def envelope(self) -> bytes:
        body = encode_envelope(SUBMISSION_V1, self._entries, self._encoded)
        if len(body) > MAX_ENVELOPE:
            raise Problem("request.too_large", "Send it as two batches.")
        return body


def _claim(
    made: _Made, principal: Principal, day: Day, *, fingerprint: str, digest: str | None, now_ms: int, no_route: Problem | None
) -> Claim:
    purpose: Purpose = "n" if made.drafts else "r" if no_route else "s"
    return Claim(
        principal=principal,
        id=made.batch_id,
        owner=made.batch_id,
        day=day.name,
        segments=made.segments if principal.mode == "live" else 0,
        fingerprint=fingerprint,
        idempotency=digest,
        purpose=purpose,
        deadline_ms=now_ms + int(DEADLINE * 1000) + GRACE_MS,
        answer=made.answer,
        tokens=max(1, len(made.drafts)),
        items=made.shown,
    )


def _all_refused(errors: dict[int, ItemError]) -> Problem:
    listed = [Mistake(error.pointer, error.code, error.detail) for _, error in sorted(errors.items())]
    return Problem("request.invalid", "No message of the batch is valid; `errors` says why.", errors=listed)
