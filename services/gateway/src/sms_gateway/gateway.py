"""Everything the gateway is made of, put together once a process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from sms_gateway.admission.reserve import ADMISSION, Admission
from sms_gateway.admission.settle import FINALIZE, RELEASE, Settler
from sms_gateway.auth import Authenticator
from sms_gateway.batch import Batches
from sms_gateway.broker import Broker
from sms_gateway.cache import Cache
from sms_gateway.clock import Calendar, Clock
from sms_gateway.directory import Directory
from sms_gateway.observability import metrics, traces
from sms_gateway.publisher import Publisher
from sms_gateway.settings import Settings
from sms_gateway.submission import Submissions
from sms_gateway.throttle import THROTTLE, Throttle

log = structlog.get_logger()

#: Seconds that a stopping process gives to what is under way: the deadline of a submission, and a little.
FAREWELL = 4.0


class Gateway:
    """The parts, and their lives."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.traces = traces.from_environment()
        self.clock = Clock()
        self.calendar = Calendar()
        self.cache = Cache(settings.redis_url.get_secret_value(), self.clock, scripts=(ADMISSION, FINALIZE, RELEASE, THROTTLE))
        self.directory = Directory(self.cache)
        self.authenticator = Authenticator(self.directory, self.clock, Throttle(self.cache), settings.peppers)
        self.broker = Broker(settings.rabbitmq_url.get_secret_value())
        self.settler = Settler(self.cache)
        self.publisher = Publisher(self.broker, self.settler)
        admission = Admission(self.cache)
        self.batches = Batches(
            admission,
            publisher=self.publisher,
            settler=self.settler,
            directory=self.directory,
            clock=self.clock,
            calendar=self.calendar,
        )
        self.submissions = Submissions(admission, self.publisher, self.settler, self.calendar, cap=settings.gateway_in_flight)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Connect in the background: the gateway starts, not ready, whatever else is down."""
        tasks = [asyncio.create_task(life) for life in (revived(self.cache.watch), revived(self.broker.keep), revived(self._observe))]
        try:
            yield
        finally:
            try:
                async with asyncio.timeout(FAREWELL):
                    await self.submissions.drain()
                    await self.batches.drain()
                    await self.publisher.drain()
            except TimeoutError:
                pass
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.cache.close()
            metrics.fold()

    async def _observe(self) -> None:
        while True:
            metrics.IN_FLIGHT.set(self.submissions.in_flight)
            metrics.BROKER_UP.set(self.broker.up)
            metrics.CACHE_READY.set(self.cache.ready)
            metrics.fold()
            await asyncio.sleep(1.0)


async def revived(life: Callable[[], Awaitable[None]]) -> None:
    """Live for ever: a life that a fault ends begins again. Whoever died in silence would leave a gateway that answers 503 for ever."""
    while True:
        try:
            await life()
        except Exception as error:  # noqa: BLE001 - where a task begins
            log.error("gateway.life_ended", error=type(error).__name__)
        await asyncio.sleep(0.5)
