"""
One connection to Redis, on which many ask at the same time.

redis-py makes the connection (TLS, authentication, the database, our greeting), and hands it over. From then on what is asked goes out at
once, in one write, and an answer is there in the moment in which it comes, in the order of asking; hiredis packs the one and reads the
other. redis-py itself asks and reads by calls of a dozen coroutines an answer, each exchange with the connection for itself alone.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, cast

import hiredis
from redis.asyncio import Connection
from redis.exceptions import NoScriptError, ResponseError

from sms_gateway.prompt import Prompt

type Command = tuple[bytes | str | int, ...]

_INCOMPLETE: Final = object()


class _Question:
    """Some commands that were sent together."""

    __slots__ = ("answers", "count", "done", "late")

    def __init__(self, count: int, done: asyncio.Future[list[Any]], late: asyncio.TimerHandle) -> None:
        self.count = count
        self.answers: list[Any] = []
        self.done = done
        self.late = late


class Wire(asyncio.Protocol):
    """Takes over a connection that redis-py has made, and that nobody is waiting for an answer on."""

    def __init__(self, connection: Connection, *, patience: float) -> None:
        #: Kept, because it closes what it has made when it is forgotten.
        self._connection = connection
        self._patience = patience
        writer = connection._writer  # noqa: SLF001 - there is no open way to it
        assert writer is not None
        self._transport = cast("asyncio.Transport", writer.transport)
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(replyError=_error, notEnoughData=_INCOMPLETE)
        self._questions: deque[_Question] = deque()
        self._retired = False
        self.closed = False
        self._transport.set_protocol(self)

    def ask(self, commands: Sequence[Command]) -> asyncio.Future[list[Any]]:
        """
        Send commands; the result is what Redis answers, errors to single commands in their places.

        The future raises `OSError` where the connection is lost or an answer does not come in time, after which all of the connection is
        given up: an answer that is still on its way must not be taken for another's. Nobody knows then what Redis has done.
        """
        done: Prompt[list[Any]] = Prompt()
        if self.closed:
            done.set_exception(ConnectionError())
            return done
        late = self._loop.call_later(self._patience, self._break, TimeoutError())
        self._questions.append(_Question(len(commands), done, late))
        self._transport.write(b"".join([hiredis.pack_command(cast("Any", command)) for command in commands]))
        return done

    def retire(self) -> None:
        """Close as soon as everything asked has been answered."""
        self._retired = True
        if not self._questions:
            self._break(ConnectionError())

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while (answer := self._reader.gets()) is not _INCOMPLETE:
                self._hear(answer)
        except hiredis.ProtocolError:
            self._break(ConnectionError())

    def connection_lost(self, exc: Exception | None) -> None:
        self._break(exc if isinstance(exc, OSError) else ConnectionError())

    def _hear(self, answer: Any) -> None:
        if not self._questions:
            self._break(ConnectionError())  # Redis speaks without having been asked
            return
        question = self._questions[0]
        question.answers.append(answer)
        if len(question.answers) < question.count:
            return
        self._questions.popleft()
        question.late.cancel()
        if not question.done.done():
            question.done.set_result(question.answers)
        if self._retired and not self._questions:
            self._break(ConnectionError())

    def _break(self, error: OSError) -> None:
        if self.closed:
            return
        self.closed = True
        self._transport.abort()
        self._connection._close()  # type: ignore[no-untyped-call]  # noqa: SLF001 - its own way waits, and for its own reader
        questions, self._questions = self._questions, deque()
        for question in questions:
            question.late.cancel()
            if not question.done.done():
                question.done.set_exception(type(error)())


def _error(text: str) -> ResponseError:
    kind = NoScriptError if text.startswith("NOSCRIPT") else ResponseError
    return kind(text)
