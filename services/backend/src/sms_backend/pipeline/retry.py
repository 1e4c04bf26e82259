"""What a message becomes by the outcome of an attempt: a pure table, from which alone dispatch settles."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from msgspec.structs import replace

from sms_backend.messages.inquiries import APART, Ask
from sms_backend.messages.settle import Settlement
from sms_backend.routing.selection import Because, Choice
from sms_contract.status import OnUnknown, Status, TrafficType
from sms_providers.errors import Outcome, SendError
from sms_providers.types import Accepted, Capabilities, Reports

#: Exponential backoff with full jitter between rounds, in seconds: up to 2 · 2ⁿ, and never more than 300.
_BASE = 2.0
_CEILING = 300.0
#: Seconds after an unclear answer until the first look-up, and until the second has been answered.
_FIRST_LOOK_UP = 3.0
_FIRST_LOOK_UP_OTP = 1.0
LOOKED_UP = _FIRST_LOOK_UP + APART + 15.0
#: Seconds until the first poll for a report.
_FIRST_POLL = 5.0
#: A vendor that asks for more patience than this is asked again after this.
_MAX_RETRY_AFTER = 300.0


#: The selection for a message: (tried, unsuitable) to a choice.
Choose = Callable[[Collection[str], Collection[str]], Choice]
NO_EXTRAS = Capabilities()


@dataclass(frozen=True, kw_only=True)
class Waits:
    """How long an unknown outcome may be found out, in seconds."""

    unknown: float
    unknown_otp: float

    def before_policy(self, message: Any, *, look_up: bool) -> float:
        """
        `otp` cannot wait as long as the others.

        Where the provider can be asked, the policy waits for the second look-up; but an `otp` that may be sent again is not kept waiting.
        """
        wait = self.unknown_otp if message.lane == TrafficType.OTP else self.unknown
        if not look_up or (message.lane == TrafficType.OTP and message.on_unknown == OnUnknown.RESEND):
            return wait
        return max(wait, LOOKED_UP)


def backoff(round_number: int, rng: Random) -> float:
    """Seconds until the next round, after `round_number` whole ones."""
    # 2**8 is past the ceiling; a larger exponent would only overflow one day.
    return rng.uniform(0, min(_CEILING, _BASE * 2 ** min(round_number, 8)))


def settlement(
    message: Any,
    *,
    provider: str,
    result: Accepted | SendError,
    choose: Choose,
    waits: Waits,
    rng: Random,
    capabilities: Capabilities = NO_EXTRAS,
) -> Settlement:
    """
    Decide by the outcome, and by nothing else.

    `message` is a claimed row, `choose(tried, unsuitable)` the selection among the providers as they are now.
    """
    number = message.attempts + 1
    if isinstance(result, Accepted):
        return Settlement(
            message_id=message.id,
            number=number,
            outcome=Outcome.ACCEPTED,
            status=Status.SENT,
            round=message.round,
            tried=message.tried,
            unsuitable=message.unsuitable,
            provider=provider,
            provider_message_id=_storable(result.message_id),
            part_ids=[_storable(each) or "" for each in result.part_ids],
            parts=max(len(result.part_ids), (result.segments or 1) if result.part_ids else 1),
            ask=Ask.POLL if capabilities.reports is Reports.POLLED else None,
            ask_after=_FIRST_POLL,
        )
    if result.is_unknown:
        unknown = _failed_attempt(message, number, result, status=Status.SENDING, provider=provider)
        return replace(
            unknown,
            unknown_for=waits.before_policy(message, look_up=capabilities.look_up),
            ask=Ask.LOOK_UP if capabilities.look_up else None,
            ask_after=_FIRST_LOOK_UP_OTP if message.lane == TrafficType.OTP else _FIRST_LOOK_UP,
        )
    if result.is_final:
        return _ended(message, number, result)
    return _try_elsewhere(message, number, result, provider=provider, choose=choose, rng=rng)


def _try_elsewhere(message: Any, number: int, error: SendError, *, provider: str, choose: Choose, rng: Random) -> Settlement:
    unsuitable, tried = message.unsuitable, [*message.tried, provider]
    if error.outcome is Outcome.NOT_FOR_THIS_PROVIDER:
        unsuitable, tried = [*message.unsuitable, provider], message.tried
    following = choose(tried, unsuitable)
    if following.provider is not None:
        return _failed_attempt(message, number, error, status=Status.QUEUED, tried=tried, unsuitable=unsuitable, next_after=0.0)
    if choose((), unsuitable).chosen_because is Because.ALL_UNSUITABLE:
        # Everyone who could have had it has said that it is not for him: another round would hear the same.
        return _ended(message, number, error, unsuitable=unsuitable)
    patience = min(error.retry_after or 0.0, _MAX_RETRY_AFTER)
    if not following.exhausted:
        # The others are ill, paused or disabled: the round is not over, and the next claim says how long to wait.
        return _failed_attempt(message, number, error, status=Status.QUEUED, tried=tried, unsuitable=unsuitable, next_after=patience)
    wait = max(backoff(message.round, rng), patience)
    return _failed_attempt(
        message, number, error, status=Status.QUEUED, round_number=message.round + 1, tried=[], unsuitable=unsuitable, next_after=wait
    )


def _ended(message: Any, number: int, error: SendError, *, unsuitable: Sequence[str] | None = None) -> Settlement:
    # After a resend an earlier attempt is still unknown: that one may have arrived. After a failover one was taken, and not delivered.
    status = Status.UNKNOWN if message.resends else Status.UNDELIVERED if message.failovers else Status.FAILED
    return _failed_attempt(message, number, error, status=status, unsuitable=unsuitable, refund=status is Status.FAILED)


def _failed_attempt(
    message: Any,
    number: int,
    error: SendError,
    *,
    status: Status,
    provider: str | None = None,
    round_number: int | None = None,
    tried: Sequence[str] | None = None,
    unsuitable: Sequence[str] | None = None,
    next_after: float | None = None,
    unknown_for: float | None = None,
    refund: bool = False,
) -> Settlement:
    return Settlement(
        message_id=message.id,
        number=number,
        outcome=error.outcome,
        status=status,
        round=message.round if round_number is None else round_number,
        tried=message.tried if tried is None else tried,
        unsuitable=message.unsuitable if unsuitable is None else unsuitable,
        provider=provider,
        error_code=error.code,
        error_detail=_storable(error.detail) or None,
        error_provider_code=_storable(error.provider_code),
        next_after=next_after,
        unknown_for=unknown_for,
        refund=refund,
        opted_out=error.opted_out,
    )


def _storable(text: str | None) -> str | None:
    # PostgreSQL's text has no NUL; a vendor's oddity must not cost us what it answered.
    return None if text is None else text.replace("\0", "")
