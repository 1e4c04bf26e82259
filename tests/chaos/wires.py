"""A fault proxy between two of the system's parts, worked from the thread that makes trouble."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from chaos.background import Background
from sms_simulators.fault_proxy import FaultProxy, Mode


@dataclass(frozen=True)
class Wire:
    """One of them."""

    proxy: FaultProxy
    background: Background

    @classmethod
    @contextmanager
    def to(cls, port: int, background: Background, *, others: Sequence[int] = ()) -> Iterator["Wire"]:
        """A proxy to a port of this machine, or by turns to several, until the block ends."""
        proxy = FaultProxy(upstream=("127.0.0.1", port), others=[("127.0.0.1", other) for other in others])
        background.run(proxy.__aenter__())
        try:
            yield cls(proxy, background)
        finally:
            background.run(proxy.__aexit__(None, None, None))

    @property
    def port(self) -> int:
        return self.proxy.port

    @property
    def holding(self) -> int:
        """How many connections are held now."""
        return self.proxy.holding

    def lead_to(self, port: int) -> None:
        """Reset what is open, and let the next connection go there."""
        self.background.run(self.proxy.set(Mode.RST))
        self.proxy.prefer(("127.0.0.1", port))
        self.background.run(self.proxy.set(Mode.PASS))

    def reset(self) -> None:
        """Break every connection that is open; new ones pass."""
        with self.failing(Mode.RST):
            pass

    @contextmanager
    def failing(self, mode: Mode, amount: float = 0.0, *, markers: Sequence[bytes] = ()) -> Iterator[None]:
        """Fail so until the block ends; connections that have lost something are reset then, as a network would sooner or later."""
        self.background.run(self.proxy.set(mode, amount, markers=markers))
        try:
            yield
        finally:
            if mode is Mode.DROP_RESPONSES:
                self.background.run(self.proxy.set(Mode.RST))
            self.background.run(self.proxy.set(Mode.PASS))
