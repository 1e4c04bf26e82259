"""Many messages at once, and exactly one result for each, whatever an adapter does."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sms_providers.base import Provider
from sms_providers.errors import Outcome, SendError, UnknownOutcomeError
from sms_providers.types import Accepted, Exchange, OutboundSms


class Lender(Protocol):
    """What makes exchanges: the transport, or a test's stand-in."""

    def exchange_for(self, account: str, *, not_after: float | None = None) -> Exchange:
        """See `Transport.exchange_for`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One message for one provider account."""

    provider: Provider[Any]
    sms: OutboundSms
    not_after: float | None = None  #: `time.monotonic()`: no request begins later


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What came of a job: `accepted` or `error`, never both, never neither."""

    seconds: float
    accepted: Accepted | None = None
    error: SendError | None = None

    @property
    def outcome(self) -> Outcome:
        """One of the seven."""
        return Outcome.ACCEPTED if self.error is None else self.error.outcome


async def send_many(jobs: Sequence[Job], lender: Lender) -> list[Result]:
    """Send concurrently; results in the order of the jobs. Being cancelled is the only thing that it raises."""
    started = [0.0] * len(jobs)
    ended = [0.0] * len(jobs)

    async def one(index: int, job: Job) -> Accepted:
        started[index] = time.perf_counter()
        try:
            return await job.provider.send(job.sms, lender.exchange_for(job.provider.account, not_after=job.not_after))
        finally:
            ended[index] = time.perf_counter()

    answers = await asyncio.gather(*(one(index, job) for index, job in enumerate(jobs)), return_exceptions=True)
    return [_result(answer, ended[index] - started[index]) for index, answer in enumerate(answers)]


def _result(answer: Accepted | BaseException, seconds: float) -> Result:
    if isinstance(answer, Accepted):
        return Result(seconds=seconds, accepted=answer)
    if isinstance(answer, SendError):
        return Result(seconds=seconds, error=answer)
    # A fault in an adapter: the request may have gone out already, so that nobody may send it elsewhere.
    error = UnknownOutcomeError(f"fault in the adapter: {type(answer).__name__}")
    error.__cause__ = answer
    return Result(seconds=seconds, error=error)
