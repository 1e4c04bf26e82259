"""
A TCP proxy that fails on request, for any protocol: `python -m sms_simulators.fault_proxy --listen 127.0.0.1:0 --upstream 127.0.0.1:5672`.

Modes hold for open connections too, from their next bytes on. The command takes them on its standard input, a line each: `pass`,
`latency 0.2`, `blackhole`, `drop_responses`, `cut 100`, `rst`, `refuse`. Holding at markers is for those who use it as a class.
"""

import argparse
import asyncio
import random
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from functools import partial
from types import TracebackType
from typing import Self

_CHUNK = 65536
_MOST_MARKER = 64  #: bytes


class Mode(StrEnum):
    """What happens to what passes through."""

    PASS = "pass"  # noqa: S105 - no password
    LATENCY = "latency"  #: each chunk waits `amount` seconds, and up to half as much again
    BLACKHOLE = "blackhole"  #: connections stay open, nothing moves; what came waits for another mode
    DROP_RESPONSES = "drop_responses"  #: requests arrive, answers are lost: "done, and nobody was told"
    HOLD_REQUESTS = "hold_requests"  #: what completes the `markers` of a connection, and all after it, waits; lost if its client goes
    HOLD_ANSWERS = "hold_answers"  #: once a connection's requests have completed the `markers`, its answers wait
    CUT = "cut"  #: each connection ends once `amount` bytes of answers have passed
    RST = "rst"  #: open connections are reset, new ones at once
    REFUSE = "refuse"  #: nobody listens; open connections are reset


#: What is called for each connection.
type Accept = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_HOLDING = {Mode.HOLD_REQUESTS, Mode.HOLD_ANSWERS}


class _Line:
    """One connection: how much of the markers has passed in it since the mode was set."""

    def __init__(self) -> None:
        self.setting = 0
        self.seen = 0
        self.held = False
        self._tail = b""

    def begin(self, setting: int) -> None:
        self.setting, self.seen, self.held, self._tail = setting, 0, False, b""

    def read(self, chunk: bytes, markers: Sequence[bytes]) -> bool:
        """Whether all markers have come by now, in their order; one may be spread over two chunks."""
        text = self._tail + chunk
        while self.seen < len(markers) and (at := text.find(markers[self.seen])) >= 0:
            text = text[at + len(markers[self.seen]) :]
            self.seen += 1
        self._tail = text[-_MOST_MARKER:]
        return self.seen == len(markers)


class _Reader(asyncio.StreamReader):
    """Knows that its peer has ended also while bytes of it are still to be read, which `at_eof` does not say then."""

    ended = False

    def feed_eof(self) -> None:
        """The hook of the transport."""
        self.ended = True
        super().feed_eof()

    @property
    def gone(self) -> bool:
        return self.ended or self.exception() is not None


class FaultProxy:
    """
    Listens while it is entered. `holding`: how many connections are held since the mode was set.

    `others`: further upstreams, as a load balancer has them. Each connection goes to the next in turn that takes it.
    """

    def __init__(
        self, *, upstream: tuple[str, int], others: Sequence[tuple[str, int]] = (), host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.mode = Mode.PASS
        self.host = host
        self.port = port
        self._upstreams = [upstream, *others]
        self._turn = 0
        self.holding = 0
        self._amount = 0.0
        self._markers: tuple[bytes, ...] = ()
        self._setting = 0
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop_listening()
        self._reset_all()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def set(self, mode: Mode, amount: float = 0.0, *, markers: Sequence[bytes] = ()) -> None:
        """Change the mode; returns when it holds. `markers`: bytes that requests have in them, in this order; none: the next request."""
        self.mode, self._amount, self._markers = mode, amount, tuple(markers)
        self._setting += 1
        self.holding = 0
        self._changed.set()
        self._changed = asyncio.Event()
        if mode in {Mode.RST, Mode.REFUSE}:
            self._reset_all()
        if mode is Mode.REFUSE:
            self._stop_listening()
        elif self._server is None:
            await self._listen()

    def prefer(self, upstream: tuple[str, int]) -> None:
        """Have the next connection go to this one of the upstreams, if it takes it, and those after it by turns as before."""
        self._turn = self._upstreams.index(upstream) - 1

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        protocol = partial(_protocol, self._accept, loop)
        self._server = await loop.create_server(protocol, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _reset_all(self) -> None:
        for writer in tuple(self._writers):
            _reset(writer)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        try:
            if self.mode is Mode.RST:
                return
            await self._relay(reader, writer)
        except OSError:
            return  # either side is gone, and the other learns of it below
        finally:
            _reset(writer) if self.mode is Mode.RST else writer.close()
            self._writers.discard(writer)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await self._connect()
        self._writers.add(upstream_writer)
        line = _Line()
        requests = asyncio.create_task(self._pump(reader, upstream_writer, line, answers=False))
        answers = asyncio.create_task(self._pump(upstream_reader, writer, line, answers=True))
        try:
            await asyncio.wait({requests, answers}, return_when=asyncio.FIRST_COMPLETED)
            if requests.done() and not requests.exception():
                await answers  # the client has only closed its half
        finally:
            for task in (requests, answers):
                task.cancel()
            await asyncio.gather(requests, answers, return_exceptions=True)
            upstream_writer.close()
            self._writers.discard(upstream_writer)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Raises `OSError` where nobody takes it."""
        for _ in self._upstreams[1:]:
            self._turn += 1
            with suppress(OSError):
                return await asyncio.open_connection(*self._upstreams[self._turn % len(self._upstreams)])
        self._turn += 1
        return await asyncio.open_connection(*self._upstreams[self._turn % len(self._upstreams)])

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: _Line, *, answers: bool) -> None:
        passed = 0
        while chunk := await reader.read(_CHUNK):
            if not answers:
                self._look(chunk, line)
            while self._stands_still(line, answers=answers):
                await self._changed.wait()
                if isinstance(reader, _Reader) and reader.gone:
                    return  # whoever asked is gone, and what was held here with him
            if self.mode is Mode.LATENCY:
                await asyncio.sleep(self._amount * (1 + random.random() / 2))  # noqa: S311
            if answers and self.mode is Mode.DROP_RESPONSES:
                continue
            if answers and self.mode is Mode.CUT:
                chunk = chunk[: max(int(self._amount) - passed, 0)]
            writer.write(chunk)
            await writer.drain()
            passed += len(chunk)
            if answers and self.mode is Mode.CUT and passed >= self._amount:
                return
        if writer.can_write_eof():
            writer.write_eof()

    def _look(self, chunk: bytes, line: _Line) -> None:
        if line.setting != self._setting:
            line.begin(self._setting)
        if self.mode in _HOLDING and not line.held and line.read(chunk, self._markers):
            line.held = True
            self.holding += 1

    def _stands_still(self, line: _Line, *, answers: bool) -> bool:
        if self.mode is Mode.BLACKHOLE:
            return True
        held = line.held and line.setting == self._setting
        return held and self.mode is (Mode.HOLD_ANSWERS if answers else Mode.HOLD_REQUESTS)


def _protocol(accept: Accept, loop: asyncio.AbstractEventLoop) -> asyncio.StreamReaderProtocol:
    return asyncio.StreamReaderProtocol(_Reader(loop=loop), accept, loop=loop)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN (`SO_LINGER` of 0)."""
    with suppress(OSError, ValueError):  # uvloop says ValueError where it has closed the socket already
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


async def _serve(listen: tuple[str, int], upstream: tuple[str, int]) -> None:
    async with FaultProxy(upstream=upstream, host=listen[0], port=listen[1]) as proxy:
        sys.stdout.write(f"listening on {proxy.host}:{proxy.port}\n")
        sys.stdout.flush()
        while line := await asyncio.to_thread(sys.stdin.readline):
            word, _, amount = line.strip().partition(" ")
            try:
                await proxy.set(Mode(word), float(amount or 0))
                sys.stdout.write(f"{word}\n")
            except ValueError as error:
                sys.stdout.write(f"error: {error}\n")
            sys.stdout.flush()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="sms_simulators.fault_proxy", description="A TCP proxy that fails on request.")
    parser.add_argument("--listen", type=_address, default=("127.0.0.1", 0))
    parser.add_argument("--upstream", type=_address, required=True)
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments.listen, arguments.upstream))


if __name__ == "__main__":
    main()
