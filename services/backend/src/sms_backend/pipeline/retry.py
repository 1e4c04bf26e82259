"""What a message becomes by the outcome of an attempt: a pure table, from which alone dispatch settles."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from sms_backend.messages.settle import Settlement
from sms_backend.routing.selection import Choice
from sms_contract.status import Status, TrafficType
from sms_providers.errors import Outcome, SendError
from sms_providers.types import Accepted

#: Exponential backoff with full jitter between rounds, in seconds: up to 2 · 2ⁿ, and never more than 300.
_BASE = 2.0
_CEILING = 300.0
#: A vendor that asks for more patience than this is asked again after this.
_MAX_RETRY_AFTER = 300.0


@dataclass(frozen=True, kw_only=True)
class Waits:
    """How long an unknown outcome may be found out, in seconds."""

    unknown: float
    unknown_otp: float

    def for_lane(self, lane: str) -> float:
        """`otp` cannot wait as long as the others."""
        return self.unknown_otp if lane == TrafficType.OTP else self.unknown


def backoff(round_number: int, rng: Random) -> float:
    """Seconds until the next round, after `round_number` whole ones."""
    # 2**8 is past the ceiling; a larger exponent would only overflow one day.
    return rng.uniform(0, min(_CEILING, _BASE * 2 ** min(round_number, 8)))


def settlement(
    message: Any,
    *,
    provider: str,
    result: Accepted | SendError,
    choose: Callable[[Sequence[str]], Choice],
    waits: Waits,
    rng: Random,
) -> Settlement:
    """
    Decide by the outcome, and by nothing else.

    `message` is a claimed row, `choose(tried)` the selection among the providers as they are now.
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
        )
    if result.is_unknown:
        return _failed_attempt(message, number, result, status=Status.SENDING, provider=provider, unknown_for=waits.for_lane(message.lane))
    if result.is_final:
        return _ended(message, number, result)
    return _try_elsewhere(message, number, result, provider=provider, choose=choose, rng=rng)


def _try_elsewhere(
    message: Any, number: int, error: SendError, *, provider: str, choose: Callable[[Sequence[str]], Choice], rng: Random
) -> Settlement:
    unsuitable, tried = message.unsuitable, [*message.tried, provider]
    if error.outcome is Outcome.NOT_FOR_THIS_PROVIDER:
        unsuitable, tried = [*message.unsuitable, provider], message.tried
    if choose([*unsuitable, *tried]).provider is not None:
        return _failed_attempt(message, number, error, status=Status.QUEUED, tried=tried, unsuitable=unsuitable, next_after=0.0)
    if choose(unsuitable).exhausted:
        # Everyone who could have had it has said that it is not for him: another round would hear the same.
        return _ended(message, number, error, unsuitable=unsuitable)
    wait = max(backoff(message.round, rng), min(error.retry_after or 0.0, _MAX_RETRY_AFTER))
    return _failed_attempt(
        message, number, error, status=Status.QUEUED, round_number=message.round + 1, tried=[], unsuitable=unsuitable, next_after=wait
    )


def _ended(message: Any, number: int, error: SendError, *, unsuitable: Sequence[str] | None = None) -> Settlement:
    # After a resend an earlier attempt is still unknown: that one may have arrived.
    doubtful = message.resends > 0
    status = Status.UNKNOWN if doubtful else Status.FAILED
    return _failed_attempt(message, number, error, status=status, unsuitable=unsuitable, refund=not doubtful)


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
