"""Random bytes from the operating system, fetched a few thousand at a time: each call on its own costs more than all that is made of it."""

import os

_POOL = 4096


class Entropy:
    """Gives out each random byte once, also after a fork."""

    def __init__(self) -> None:
        self._bytes = b""
        self._used = 0
        os.register_at_fork(after_in_child=self._forget)

    def __call__(self, count: int) -> bytes:
        start, self._used = self._used, self._used + count
        if self._used > len(self._bytes):
            self._bytes = os.urandom(_POOL)
            start, self._used = 0, count
        return self._bytes[start : self._used]

    def _forget(self) -> None:
        self._bytes = b""


entropy = Entropy()
