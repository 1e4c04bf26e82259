"""When a webhook is tried again, and what an answer means. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random

from sms_backend.pipeline.outlet import Answer

#: Seconds after the try before; the first is at once.
DELAYS = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
#: Retries spread by so much around that.
_JITTER = 0.1
#: No receiver is waited for any longer than this.
_MOST_PATIENCE = 86400.0
_BUSY = frozenset({429, 502, 503, 504})
_GONE = 410
#: The reason where there is, or may be, nobody to try.
CLOSED = "endpoint_disabled"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a try was, and when the next is."""

    reason: str | None  #: None: it succeeded
    state: str
    step: int
    next_after: float | None = None
    gone: bool = False


def judge(answer: Answer, *, step: int, now: datetime, rng: Random) -> Verdict:
    """By the answer to a try, `step` of the schedule being used up before it."""
    status = answer.status
    if status is not None and 200 <= status < 300:
        return Verdict(reason=None, state="delivered", step=step + 1)
    reason = answer.reason or f"http_{(status or 0) // 100}xx"
    if status == _GONE:
        return Verdict(reason="gone", state="failed", step=step + 1, gone=True)
    if step >= len(DELAYS) or reason == CLOSED:
        return Verdict(reason=reason, state="failed", step=step + 1)
    wait = DELAYS[step] * rng.uniform(1 - _JITTER, 1 + _JITTER)
    if status in _BUSY:
        wait = max(wait, min(_MOST_PATIENCE, retry_after(answer.retry_after, now)))
    return Verdict(reason=reason, state="pending", step=step + 1, next_after=wait)


def retry_after(value: str | None, now: datetime) -> float:
    """Seconds that a receiver asks for, as a number or as a date; 0 where it asks for nothing that can be read."""
    if value is None:
        return 0.0
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return max(0.0, ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds())
