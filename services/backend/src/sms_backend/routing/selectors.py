"""Providers, as the rest of Server B reads them."""

import threading
import time

from sms_backend.core.errors import NotFoundError
from sms_backend.routing.models import Provider
from sms_backend.routing.selection import Candidate, Snapshot

#: The adapter, and the one provider, of test mode.
TEST = "test"
#: Seconds that a process may go on with what it read before: a change by an operator is obeyed within it.
FRESH = 2.0


class _Cache:
    """One snapshot a process, shared by its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._snapshot = Snapshot(())

    def get(self) -> Snapshot:
        if time.monotonic() - self._read_at < FRESH:
            return self._snapshot
        with self._lock:
            if time.monotonic() - self._read_at >= FRESH:
                # Counted from before the read, so that what was changed meanwhile is not missed for longer.
                now = time.monotonic()
                self._snapshot = read()
                self._read_at = now
        return self._snapshot

    def forget(self) -> None:
        with self._lock:
            self._read_at = float("-inf")


_cache = _Cache()


def snapshot() -> Snapshot:
    """All providers arranged for choosing, at most two seconds old."""
    return _cache.get()


def forget() -> None:
    """Have the next `snapshot` read anew: after a change in this process."""
    _cache.forget()


def provider_named(slug: str) -> Provider:
    """One provider, active or not."""
    try:
        return Provider.objects.get(slug=slug)
    except Provider.DoesNotExist:
        raise NotFoundError(f"there is no provider {slug!r}; `provider list` names them all") from None


def read() -> Snapshot:
    """All providers, as PostgreSQL has them now."""
    fields = ("slug", "adapter", "active", "priority", "weight", "countries", "throughput")
    return Snapshot(
        Candidate(
            slug=row.slug,
            active=row.active,
            priority=row.priority,
            weight=row.weight,
            prefixes=tuple(c for c in row.countries if c.startswith("+")),
            regions=frozenset(c for c in row.countries if not c.startswith("+")),
            test=row.adapter == TEST,
            throughput=row.throughput,
        )
        for row in Provider.objects.only(*fields)
    )
