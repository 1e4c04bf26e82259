"""
The one owner of sockets.

It connects, writes once and reads one answer: no redirects, no cookies, no proxies from the environment, no second try of what may have
been written. It judges only whether anything can have been: see `_nothing_written`.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import ConnectTimeoutError, DetailedPyreqwestError, PyreqwestError
from pyreqwest.response import Response

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
#: How hyper calls a failure before there was a connection to write to: name not found, nobody listening, no TLS. Whatever happens to a
#: connection that was made has another name. (https://docs.rs/hyper-util, `client::legacy::Error`)
_CONNECTING = "client error (Connect)"

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
        self._connect, self._read, self._total = connect, read, total
        self._slots = slots
        self._user_agent = user_agent
        self._observe = observe
        self._semaphores: dict[str, asyncio.Semaphore] = {}
        self._client: Client | None = None
        self._threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="provider-library")  # starts none before the first use

    async def __aenter__(self) -> Self:
        # Slots bound the connections; a wait in the client would run inside the total time-out.
        self._client = (
            ClientBuilder()
            .http1_only()
            .no_proxy()
            .follow_redirects(enable=False)
            .referer(enable=False)
            # Answers are small; what is compressed all the same is read, or is unknown.
            .default_headers({"Accept-Encoding": "identity"})
            .user_agent(self._user_agent)
            .connect_timeout(timedelta(seconds=self._connect))
            .read_timeout(timedelta(seconds=self._read))
            .timeout(timedelta(seconds=self._total))
            .pool_idle_timeout(timedelta(seconds=_KEEP_ALIVE))
            .build()
        )
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            await self._client.close()
            self._client = None

    def exchange_for(self, account: str, *, not_after: float | None = None) -> Exchange:
        """
        What an adapter is lent: `await exchange(request)` answers, or raises `NotSentError` or `UnknownOutcomeError`.

        `not_after`, by `time.monotonic()`, is the last moment at which a request may begin: when the lease, less `TOTAL`, runs out.
        """
        semaphore = self._semaphores.get(account)
        if semaphore is None:
            semaphore = self._semaphores[account] = asyncio.Semaphore(self._slots)

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
        if self._client is None:
            raise RuntimeError("the transport is not open")
        began = time.monotonic()
        connected = False
        try:
            prepared = self._client.request(request.method, request.url).headers(request.headers)
            if request.body:
                prepared = prepared.body_bytes(request.body)
            async with prepared.build_streamed() as response:
                connected = True
                return HttpAnswer(status=response.status, body=await _body(response), headers=response.headers)
        except (PyreqwestError, OSError, ValueError) as error:
            # Without the cause: it quotes the URL, in which there may be a key.
            if not connected and self._nothing_written(error, time.monotonic() - began):
                raise NotSentError(_describe(request, error)) from None
            raise UnknownOutcomeError(_describe(request, error)) from None

    def _nothing_written(self, error: Exception, seconds: float) -> bool:
        """
        Whether a request, which took this long to fail, certainly never met a connection.

        Time-outs all look the same. But no timer fires early, and this one has fired before any could that runs while a request is written
        or answered: then it was that of connecting.
        """
        if isinstance(error, ConnectTimeoutError):
            return seconds < min(self._read, self._total)
        return _CONNECTING in _causes(error)

    async def _in_thread(self, call: Callable[[], HttpAnswer]) -> HttpAnswer:
        future = self._threads.submit(call)
        try:
            async with asyncio.timeout(self._total):
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            if future.cancelled():  # before a thread had taken it
                raise NotSentError("no thread was free") from error
            raise UnknownOutcomeError("TimeoutError in a library") from error


async def _acquire(semaphore: asyncio.Semaphore, not_after: float | None) -> None:
    if not_after is None:
        await semaphore.acquire()
        return
    left = not_after - time.monotonic()
    if left <= 0:
        raise NotSentError("its lease or its validity had run out")
    if not semaphore.locked():
        await semaphore.acquire()  # at once
        return
    try:
        async with asyncio.timeout(left):
            await semaphore.acquire()
    except TimeoutError as error:
        raise NotSentError("its lease or its validity ran out before a slot was free") from error


async def _body(response: Response) -> bytes:
    """To its end, or cut off: a 2xx cannot be read then, and is unknown."""
    reader, body = response.body_reader, b""
    while len(body) < MAX_ANSWER and (chunk := await reader.read(MAX_ANSWER - len(body))) is not None:
        body += bytes(chunk)
    return body


def _causes(error: Exception) -> list[str]:
    """From the outermost to the first; the outermost quotes the URL."""
    causes = error.details["causes"] if isinstance(error, DetailedPyreqwestError) else None
    return [cause["message"] for cause in causes or ()]


def _describe(request: HttpRequest, error: Exception) -> str:
    """Kind of failure and host, and the first cause in the library's words."""
    causes = _causes(error)
    first = f" ({causes[-1]})" if len(causes) > 1 else ""
    return f"{type(error).__name__} at {urlsplit(request.url).hostname}{first}"
