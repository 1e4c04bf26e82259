"""
How long a client may take, and how much it may say, before its request is whole; Uvicorn itself would wait for ever.

A connection is looked at now and then instead of at each of its bytes: what is the same half of a request at two looks that are far enough
apart is given up. So a fast client costs nothing, and a slow one is cut off somewhat later than at the second.
"""

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

#: Seconds for a request to come in whole, where the application says nothing else (`read_timeout` in the state of its lifespan).
READ_TIMEOUT: Final = 30.0
#: Looks within that time.
LOOKS: Final = 6
#: Bytes of a head; and of a whole request, whatever has been answered to it already.
MAX_HEAD: Final = 64 * 1024
MAX_REQUEST: Final = 64 * 1024 * 1024


class PatientProtocol(HttpToolsProtocol):
    """One connection, whose client has only so much time and space."""

    #: When the connection became idle, by the clock of the loop; None while something is expected of either side.
    _idle_since: float | None = None
    #: What is not whole yet (`_unread`), since when, and how much more of it has come since its first piece.
    _half: object = None
    _half_since = 0.0
    _counted: object = None
    _count = 0
    _look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._read_timeout: float = self.app_state.get("read_timeout", READ_TIMEOUT)
        self._half, self._half_since = self, self.loop.time()
        self._look = self.loop.call_later(self._read_timeout / LOOKS, self._look_at)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None
        super().connection_lost(exc)

    @property
    def begun(self) -> bool:
        """Whether its client has ever asked for anything."""
        first: object = self.scope
        return first is not None

    def more_came(self, size: int) -> None:
        """A piece of a request that is not whole yet has come."""
        if self._counted is not self.scope:
            # The piece may be the end of another request.
            self._counted, self._count = self.scope, 0
            return
        self._count += size
        in_head = self.cycle is None or self.cycle.scope is not self.scope
        if self._count > (MAX_HEAD if in_head else MAX_REQUEST):
            self._give_up(431 if in_head else 413, "The request is too large.")

    def _look_at(self) -> None:
        if self.transport.is_closing():
            return
        now = self.loop.time()
        half = self._unread()
        if half is None or half is not self._half:
            self._half, self._half_since = half, now
        elif now - self._half_since >= self._read_timeout:
            if half is self.transport:
                # It does not read its answer, so that whatever else is written would wait as well.
                self.transport.abort()
            else:
                self._give_up(408, "The request did not come in whole in time.")
            return
        self._look = self.loop.call_later(self._read_timeout / LOOKS, self._look_at)

    def _unread(self) -> object:
        """What this connection waits for from its client: a request, by its scope; before the first the connection itself; or nothing."""
        if self.flow.write_paused:
            return self.transport
        if not self.begun:
            return self
        cycle = self.cycle
        if cycle is None or cycle.scope is not self.scope:
            return self.scope
        if cycle.response_complete:
            # Answered early: the rest may still be coming, and nobody but us knows when it has come.
            return self.scope if self._idle_since is None else None
        return self.scope if cycle.more_body else None

    def _give_up(self, status: int, why: str) -> None:
        """Say so, where that is not in the middle of something, and close the connection; who waits for the rest hears that it is gone."""
        self.logger.warning(why)
        cycle = self.cycle
        silent = not self.begun or (cycle is not None and cycle.response_started and not cycle.response_complete)
        answered = cycle is not None and cycle.scope is self.scope and cycle.response_complete
        if not silent and not answered:
            head = [STATUS_LINE[status], b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\n"]
            self.transport.write(b"".join((*head, b"content-length: %d\r\n\r\n" % len(why), why.encode())))
        self.transport.close()
