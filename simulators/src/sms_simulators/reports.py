"""Posts the simulated vendor's status callbacks: signed, a bounded number at once, tried again while the receiver cannot take them."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Protocol, Self

import aiohttp
import msgspec

from sms_simulators.behaviour import Step

#: Seconds between tries at one report, on a connect error, a 5xx or a 429; real vendors go on for hours.
_PAUSES: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 5.0, 10.0, 20.0, 30.0)
_TIMEOUT: Final = aiohttp.ClientTimeout(total=15)
#: At once; of all vendors together, and a vendor waits for nobody's answer before it reports on the next message.
_CONCURRENCY: Final = 128


class Reported(Protocol):
    """A vendor's message, as far as its reports need it."""

    status: str
    callback_url: str | None

    def become(self, step: Step) -> None:
        """Take on a report's status."""
        ...


class Post(msgspec.Struct, kw_only=True, frozen=True):
    """A request that a vendor makes to a customer."""

    url: str
    headers: dict[str, str] = {}
    body: bytes | None = None
    method: str = "POST"


class Job(msgspec.Struct, kw_only=True, eq=False):
    """The reports on one message, and how far they have come."""

    message: Reported
    steps: Sequence[Step]
    compose: Callable[[Step], Post]  #: writes a report
    position: int = 0
    tries: int = 0


class Counts(msgspec.Struct):
    """What became of the reports so far."""

    posted: int = 0
    failed: int = 0
    pending: int = 0


class Reporter:
    """A queue and a few workers; enter it inside the loop that uses it."""

    def __init__(self, *, concurrency: int = _CONCURRENCY, pauses: Sequence[float] = _PAUSES) -> None:
        self.counts = Counts()
        self._concurrency = concurrency
        self._pauses = pauses
        self._queue: asyncio.Queue[Job] = asyncio.Queue()
        self._workers: list[asyncio.Task[None]] = []
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._concurrency),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=_TIMEOUT,
        )
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._concurrency)]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for worker in self._workers:
            worker.cancel()
        for worker in self._workers:
            with suppress(asyncio.CancelledError):
                await worker
        if self._session is not None:
            await self._session.close()

    def schedule(self, job: Job) -> None:
        """Post a message's reports, each at its time."""
        if not job.steps or job.message.callback_url is None:
            self._settle(job)
            return
        self.counts.pending += len(job.steps)
        self._later(job.steps[0].delay, job)

    async def post_all(self, job: Job) -> None:
        """Post them now, one after the other, without regard to their delays; each again where it is not taken, as the others are."""
        self.counts.pending += len(job.steps)
        while job.position < len(job.steps):
            while not await self._post(job):
                await asyncio.sleep(self._pauses[job.tries])
                job.tries += 1
            job.tries = 0
            job.position += 1

    def _settle(self, job: Job) -> None:
        """Without a callback URL a message changes all the same, each time at its time: some vendors are asked for that."""
        due = 0.0
        for step in job.steps:
            due += step.delay
            if due > 0:
                asyncio.get_running_loop().call_later(due, _become, job.message, step)
            else:
                job.message.become(step)

    def _later(self, delay: float, job: Job) -> None:
        if delay > 0:
            asyncio.get_running_loop().call_later(delay, self._queue.put_nowait, job)
        else:
            self._queue.put_nowait(job)

    async def _work(self) -> None:
        while True:
            job = await self._queue.get()
            if job.message.status == "canceled":
                self.counts.pending -= len(job.steps) - job.position
                continue
            if not await self._post(job):
                self._later(self._pauses[job.tries], job)
                job.tries += 1
                continue
            job.tries = 0
            job.position += 1
            if job.position < len(job.steps):
                self._later(job.steps[job.position].delay, job)

    async def _post(self, job: Job) -> bool:
        """One try at one report; False: another is due."""
        step, message = job.steps[job.position], job.message
        message.become(step)
        status = await self.deliver(job.compose(step))
        if 200 <= status < 300:
            self.counts.posted += 1
        elif (status >= 500 or status == 429) and job.tries < len(self._pauses):
            return False
        else:
            self.counts.failed += 1
        self.counts.pending -= 1
        return True

    async def deliver(self, post: Post) -> int:
        """Post once; the HTTP status, 503 where nobody answers."""
        if self._session is None:
            raise RuntimeError("the reporter is not open")
        try:
            async with self._session.request(
                post.method, post.url, data=post.body, headers=post.headers, allow_redirects=False
            ) as response:
                return response.status
        except (aiohttp.ClientError, TimeoutError):
            return 503


def _become(message: Reported, step: Step) -> None:
    if message.status != "canceled":
        message.become(step)
