"""Many messages at once, and exactly one result for each, whatever an adapter does."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from sms_providers.base import Provider
from sms_providers.errors import Outcome, SendError, UnknownOutcomeError
from sms_providers.types import Accepted, Exchange, OutboundSms


class Lender(Protocol):
    """What makes exchanges: the transport, or a test's stand-in."""

    def exchange_for(self, account: str, *, not_after: float | None = None) -> Exchange:
        """See `Transport.exchange_for`."""
        ...


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One message for one provider account."""

    provider: Provider[Any]
    sms: OutboundSms
    not_after: float | None = None  #: `time.monotonic()`: no request begins later


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a job: `accepted` or `error`, never both, never neither."""

    seconds: float
    accepted: Accepted | None = None
    error: SendError | None = None

    @property
    def outcome(self) -> Outcome:
        """One of the seven."""
        return Outcome.ACCEPTED if self.error is None else self.error.outcome


async def send_one(job: Job, lender: Lender) -> Result:
    """Send; being cancelled is the only thing that it raises."""
    started = time.perf_counter()
    try:
        accepted = await job.provider.send(job.sms, lender.exchange_for(job.provider.account, not_after=job.not_after))
    except SendError as error:
        return Result(seconds=time.perf_counter() - started, error=error)
    except Exception as fault:  # noqa: BLE001 - the entry point of whatever an adapter does
        # A fault in an adapter: the request may have gone out already, so that nobody may send it elsewhere.
        unknown = UnknownOutcomeError(f"fault in the adapter: {type(fault).__name__}")
        unknown.__cause__ = fault
        return Result(seconds=time.perf_counter() - started, error=unknown)
    return Result(seconds=time.perf_counter() - started, accepted=accepted)


async def send_many(jobs: Sequence[Job], lender: Lender) -> list[Result]:
    """Send concurrently; results in the order of the jobs."""
    return await asyncio.gather(*(send_one(job, lender) for job in jobs))
