"""
The one owner of sockets.

It connects, writes once and reads one answer: no redirects, no resending, no cookies, no proxies from the environment. It judges only
whether anything can have been written. aiohttp raises `ClientConnectorError` and `ConnectionTimeoutError` before the first byte of a
request; every other failure, a bare `TimeoutError` too, may have come after the vendor had read all of it.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from sms_providers.errors import NotSentError, SendError, UnknownOutcomeError
from sms_providers.types import Exchange, HttpAnswer, HttpRequest

#: Seconds. `TOTAL` begins when a slot is free: waiting for one is bounded by `not_after`, and nothing is written before it.
CONNECT: Final = 3.0
READ: Final = 10.0
TOTAL: Final = 20.0
#: Requests under way at once, per provider account.
SLOTS: Final = 200
#: Requests under way at once through libraries with sockets of their own.
THREADS: Final = 16
#: No answer to one message is larger; a larger one is not read to its end.
MAX_ANSWER: Final = 1024 * 1024
#: Below the idle time-outs that servers have, so that a request seldom meets a connection that is being closed.
_KEEP_ALIVE = 4.0

#: Told of each exchange: provider account, result (`2xx`, `429`, `not_sent`, `unknown`, …), seconds. Must not raise.
Observer = Callable[[str, str, float], None]


def _observe_nothing(_provider: str, _result: str, _seconds: float) -> None:
    return


class Transport:
    """
    One HTTP session for all providers; enter it inside the loop that uses it.

    `exchange_for` lends an adapter what it needs to reach its vendor.
    """

    def __init__(
        self,
        *,
        connect: float = CONNECT,
        read: float = READ,
        total: float = TOTAL,
        slots: int = SLOTS,
        user_agent: str = "smsgw",
        observe: Observer = _observe_nothing,
    ) -> None:
        self._timeout = aiohttp.ClientTimeout(total=total, sock_connect=connect, sock_read=read)
        self._slots = slots
        self._user_agent = user_agent
        self._observe = observe
        self._semaphores: dict[str, asyncio.Semaphore] = {}
        self._session: aiohttp.ClientSession | None = None
        self._threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="provider-library")  # starts none before the first use

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            # Slots bound the connections; a wait in the connector would run inside the total time-out.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE, ttl_dns_cache=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": self._user_agent},
            timeout=self._timeout,
            trust_env=False,
            # Answers are small; whoever wants another encoding says so.
            skip_auto_headers=("Accept-Encoding",),
        )
        # aiohttp sends GET, PUT and DELETE once more when a kept connection turns out closed, and vendors take messages by GET.
        # There is no public switch as of aiohttp 3.14; tests/integration proves by socket that this one works.
        self._session._retry_connection = False  # noqa: SLF001
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    def exchange_for(self, account: str, *, not_after: float | None = None) -> Exchange:
        """
        What an adapter is lent: `await exchange(request)` answers, or raises `NotSentError` or `UnknownOutcomeError`.

        `not_after`, by `time.monotonic()`, is the last moment at which a request may begin: when the lease, less `TOTAL`, runs out.
        """
        semaphore = self._semaphores.setdefault(account, asyncio.Semaphore(self._slots))

        async def exchange(request: HttpRequest) -> HttpAnswer:
            if request.in_process is not None:
                return request.in_process()
            await _acquire(semaphore, not_after)
            started = time.perf_counter()
            result = "unknown"
            try:
                answer = await self._perform(request) if request.in_thread is None else await self._in_thread(request.in_thread)
                result = f"{answer.status // 100}xx" if answer.status < 300 else str(answer.status)
            except SendError as error:
                result = error.outcome.value
                raise
            else:
                return answer
            finally:
                semaphore.release()
                self._observe(account, result, time.perf_counter() - started)

        return exchange

    async def _perform(self, request: HttpRequest) -> HttpAnswer:
        if self._session is None:
            raise RuntimeError("the transport is not open")
        try:
            async with self._session.request(
                request.method,
                _url(request.url),
                data=request.body or None,
                headers=request.headers,
                allow_redirects=False,
            ) as response:
                body = await _body(response)
                return HttpAnswer(status=response.status, body=body, headers=response.headers)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotSentError(_describe(request, error)) from error
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise UnknownOutcomeError(_describe(request, error)) from error

    async def _in_thread(self, call: Callable[[], HttpAnswer]) -> HttpAnswer:
        future = self._threads.submit(call)
        try:
            async with asyncio.timeout(self._timeout.total):
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            if future.cancelled():  # before a thread had taken it
                raise NotSentError("no thread was free") from error
            raise UnknownOutcomeError("TimeoutError in a library") from error


@lru_cache(maxsize=1024)
def _url(text: str) -> URL:
    # Most vendors are posted to at one URL; parsing it costs as much as a tenth of the whole request.
    return URL(text, encoded=True)


async def _acquire(semaphore: asyncio.Semaphore, not_after: float | None) -> None:
    if not_after is None:
        await semaphore.acquire()
        return
    left = not_after - time.monotonic()
    if left <= 0:
        raise NotSentError("its lease had run out")
    if not semaphore.locked():
        await semaphore.acquire()  # at once
        return
    try:
        async with asyncio.timeout(left):
            await semaphore.acquire()
    except TimeoutError as error:
        raise NotSentError("its lease ran out before a slot was free") from error


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = await response.content.read(MAX_ANSWER)
    while body and len(body) < MAX_ANSWER:
        chunk = await response.content.read(MAX_ANSWER - len(body))
        if not chunk:
            return body
        body += chunk
    if body:
        response.close()  # cut off: a 2xx cannot be read then, and is unknown
    return body


def _describe(request: HttpRequest, error: Exception) -> str:
    """Kind of failure and host: an exception's own words may hold a URL with a key in it."""
    return f"{type(error).__name__} at {urlsplit(request.url).hostname}"
