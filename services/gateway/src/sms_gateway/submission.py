"""
A submission's way: reserve, publish, wait for the confirm, finish the reservation.

It is carried by the task of its request, which Uvicorn runs to its end whether or not the client is still there (a test holds it to that),
so that a client that goes away drops only its own waiting. One deadline, counted from the request's arrival, covers gathering, flushes and
reconnects.
"""

import asyncio
from typing import Final, Literal

import msgspec

from sms_contract import message as view
from sms_contract.envelope import Submission, encode_entry
from sms_contract.ids import created_ms
from sms_contract.message import Accepted, Message
from sms_contract.topology import submissions_queue
from sms_gateway.admission.reserve import Admission, Claim, Purpose, Verdict
from sms_gateway.admission.settle import Reservation, Settler
from sms_gateway.broker import Confirmation
from sms_gateway.cache import CacheError
from sms_gateway.clock import Calendar, Day
from sms_gateway.coalescer import Coalescer, UnansweredError, WithdrawnError
from sms_gateway.drafts import Draft
from sms_gateway.observability.metrics import flush_observer
from sms_gateway.passage import Passage
from sms_gateway.problems import Problem
from sms_gateway.publisher import Publisher
from sms_gateway.schema import DryRun

#: Seconds from arrival within which a message is queued or is not, and what others grant on top before they take a reservation over.
DEADLINE = 3.0
GRACE_MS = 500

_encode = msgspec.json.Encoder().encode
_decode_message = msgspec.json.Decoder(Message).decode
_decode_accepted = msgspec.json.Decoder(Accepted).decode

#: How *the message* goes on after `{"tracking_id":"…"` while it is new, and where what the 202 has of it ends.
_ID_ENDS: Final = len('{"tracking_id":"') + 36 + 1
_NOT_IN_A_202: Final = b',"aliases":[],"batch_id":null'
_REST: Final = b',"traffic_type":"'
_CREATED: Final = b',"created_at":"'
_TIMESTAMP: Final = len("2026-01-01T00:00:00.000Z")


class Outcome(msgspec.Struct, kw_only=True):
    """What a submission came to."""

    kind: Literal["accepted", "replayed", "dry_run"]
    body: bytes
    tracking_id: str = ""
    used: int = 0
    day: Day


class RefusedByAdmission(Problem):
    """A refusal that admission pronounced, with what it knows about the day's quota."""

    def __init__(self, problem: Problem, *, used: int, day: Day) -> None:
        super().__init__(
            problem.code,
            problem.detail,
            errors=problem.errors,
            tracking_id=problem.tracking_id,
            retryable=problem.retryable,
            retry_after=problem.retry_after,
        )
        self.used = used
        self.day = day


class Submissions:
    """Takes drafts and sees them through."""

    def __init__(self, admission: Admission, publisher: Publisher, settler: Settler, calendar: Calendar, *, cap: int) -> None:
        # Two at a time: one is worked out here while the other is with Redis. What a group's verdicts let pass is published as a group, in
        # the same turn of the loop.
        self._admissions: Coalescer[Claim, Verdict] = Coalescer(
            admission.flush, max_in_flight=2, observe=flush_observer("admission"), landed=publisher.begin
        )
        self._publisher = publisher
        self._settler = settler
        self._calendar = calendar
        self._cap = cap
        self._in_flight = 0
        self._ended = asyncio.Event()

    @property
    def in_flight(self) -> int:
        return self._in_flight

    async def submit(self, draft: Draft, *, arrived: float) -> Outcome:
        """See a draft through; `arrived` is when its request had come in, by the clock of the loop. Raises `Problem`."""
        if self._in_flight >= self._cap:
            raise Problem("overloaded")
        self._in_flight += 1
        try:
            deadline = arrived + DEADLINE
            day = self._calendar.day(draft.principal.client.time_zone, draft.created_ms)
            submission = submission_of(draft, day)
            answer = _encode(view.accepted(submission, draft.content.segments))
            claim = _claim(draft, submission, day, answer=answer)
            queue = submissions_queue(draft.traffic_type)
            passage = Passage(claim, self._publisher, queue=queue, entry=encode_entry(submission), deadline=deadline)
            self._admissions.gather(claim, passage.judged, deadline=deadline)
            self._admissions.soon()
            end = await passage.ended
            if end is not Confirmation.CONFIRMED:
                return await self._otherwise(passage, end, draft, submission, day, deadline=deadline)
            verdict = passage.verdict
            assert verdict is not None
            return Outcome(kind="accepted", body=cut_accepted(answer), tracking_id=claim.id, used=verdict.used, day=day)
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._ended.set()

    async def drain(self) -> None:
        """Wait until all that is under way has ended."""
        while self._in_flight:
            self._ended.clear()
            await self._ended.wait()

    async def _otherwise(
        self, passage: Passage, end: Verdict | Confirmation | Exception, draft: Draft, submission: Submission, day: Day, *, deadline: float
    ) -> Outcome:
        """What comes of one that was not simply admitted and confirmed."""
        claim = passage.claim
        answer = claim.answer
        if passage.reservation is not None and passage.verdict is not None:
            assert not isinstance(end, Verdict)
            verdict, reservation = passage.verdict, passage.reservation
            confirmation = await self._publisher.settled(end, reservation)
        else:
            assert not isinstance(end, Confirmation)
            verdict = self._verdict(end, claim)
            if verdict.kind == "r":
                return Outcome(kind="replayed", body=cut_accepted(verdict.answer), tracking_id=verdict.id, used=verdict.used, day=day)
            if verdict.kind == "o" and draft.dry_run and draft.no_route is None:
                return Outcome(kind="dry_run", body=_dry_run(draft), used=verdict.used, day=day)
            if verdict.kind != "t":
                raise RefusedByAdmission(_refusal(draft, verdict, day), used=verdict.used, day=day)
            # Taken over: the same message is published again, under the id of its first try.
            answer = verdict.answer
            entry = encode_entry(_again(submission, _decode_message(answer), verdict.day))
            reservation = Reservation(claim, verdict.id, verdict.day)
            confirmation = await self._publisher.publish(submissions_queue(draft.traffic_type), entry, reservation, deadline=deadline)

        if confirmation is Confirmation.CONFIRMED:
            return Outcome(kind="accepted", body=cut_accepted(answer), tracking_id=reservation.id, used=verdict.used, day=day)
        if confirmation is Confirmation.NOT_QUEUED:
            raise Problem("broker.unavailable")
        raise Problem("broker.unconfirmed", tracking_id=reservation.id, retryable=claim.idempotency is not None)

    def _verdict(self, end: Verdict | Exception, claim: Claim) -> Verdict:
        """Admission's word. Raises `Problem` where there is none."""
        if isinstance(end, Verdict):
            return end
        if not isinstance(end, WithdrawnError):
            # The script may have run all the same; nothing was published, so it can be undone, behind the answer.
            self._settler.settle_later([Reservation(claim, claim.id, claim.day)], "release")
        if isinstance(end, WithdrawnError | CacheError | UnansweredError):
            raise Problem("cache.unavailable") from end
        raise end


def _claim(draft: Draft, submission: Submission, day: Day, *, answer: bytes) -> Claim:
    purpose: Purpose = "n"
    if draft.dry_run:
        purpose = "d"
    elif draft.refusal is not None:
        purpose = "s"
    elif draft.no_route is not None:
        purpose = "r"
    return Claim(
        principal=draft.principal,
        id=draft.tracking_id,
        owner=draft.tracking_id,
        day=day.name,
        segments=submission.segments if draft.principal.mode == "live" else 0,
        fingerprint=draft.fingerprint,
        idempotency=draft.idempotency,
        purpose=purpose,
        deadline_ms=draft.created_ms + int(DEADLINE * 1000) + GRACE_MS,
        answer=answer,
    )


def submission_of(draft: Draft, day: Day) -> Submission:
    """What Server B is told of a draft."""
    request, content, principal = draft.request, draft.content, draft.principal
    unset = msgspec.UNSET
    return Submission(
        tracking_id=draft.tracking_id,
        client=principal.client.id,
        mode=principal.mode,
        to=request.to,
        text=request.text,
        fingerprint=draft.fingerprint,
        reserved_at=draft.created_ms,
        segments=content.segments.count,
        encoding=content.segments.encoding,
        characters=content.segments.characters,
        expires_at=draft.expires_at,
        sender=draft.sender,
        wire_text=content.wire_text,
        providers=draft.providers,
        reference=None if request.reference is unset else request.reference,
        callback_url=None if request.callback_url is unset else request.callback_url,
        send_at=draft.send_at,
        traffic_type=draft.traffic_type,
        on_unknown=principal.client.on_unknown if request.on_unknown is unset else request.on_unknown,
        failover_on=[] if request.failover_on is unset else list(request.failover_on),
        metadata={} if request.metadata is unset else request.metadata,
        max_segments=10 if request.max_segments is unset else request.max_segments,
        idempotency=draft.idempotency,
        charged_day=day.name if principal.mode == "live" else None,
        key_id=principal.key_id,
        traceparent=draft.traceparent,
    )


def _again(submission: Submission, first: Message, day: str) -> Submission:
    """The same message under the id of its first try, whose confirm never came; it is charged to that try's day."""
    created = created_ms(first.tracking_id)
    return msgspec.structs.replace(
        submission,
        tracking_id=first.tracking_id,
        reserved_at=created,
        expires_at=submission.expires_at if submission.send_at else submission.expires_at - submission.reserved_at + created,
        sender=first.sender,
        charged_day=day or None,
    )


def _refusal(draft: Draft, verdict: Verdict, day: Day) -> Problem:
    return refused(verdict, day, draft.created_ms) or draft.refusal or draft.no_route or Problem("internal")


def refused(verdict: Verdict, day: Day, now_ms: int) -> Problem | None:
    """Why admission let nothing pass; None: it has nothing against it."""
    if verdict.kind == "i":
        return Problem("idempotency.in_progress", retry_after=_seconds(verdict.wait_ms))
    if verdict.kind == "k":
        return Problem("idempotency.key_reused")
    if verdict.kind == "l":
        return Problem("rate.limited", retry_after=_seconds(verdict.wait_ms))
    if verdict.kind == "q":
        return Problem("quota.exceeded", retry_after=_seconds(day.ends_ms - now_ms))
    return None


def cut_accepted(answer: bytes) -> bytes:
    """The 202's part of an encoded message: the same bytes as `Accepted` would be written in, without writing it."""
    if not answer.startswith(_NOT_IN_A_202, _ID_ENDS):
        return _encode(_decode_accepted(answer))
    # From the end: what a client wrote cannot follow them.
    end = answer.rindex(_REST)
    created = answer.rindex(_CREATED)
    return b"".join(
        (
            answer[:_ID_ENDS],
            answer[_ID_ENDS + len(_NOT_IN_A_202) : end],
            answer[created : created + len(_CREATED) + _TIMESTAMP],
            b'"}',
        )
    )


def _dry_run(draft: Draft) -> bytes:
    return _encode(DryRun(to=draft.request.to, sender=draft.sender, segments=draft.content.segments, providers=draft.route))


def _seconds(ms: int) -> int:
    return max(1, -(-ms // 1000))
