"""Providers, as the rest of Server B reads them."""

import threading
import time

from sms_backend.core.errors import NotFoundError
from sms_backend.routing.candidates import Candidate, Hold, Snapshot
from sms_backend.routing.models import Pause, Provider

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
    fields = ("slug", "adapter", "active", "priority", "weight", "countries", "denied", "throughput")
    held = Pause.objects.exclude(provider=None)
    holds = [Hold(provider=str(pause.provider_id), client=pause.client_id, lane=pause.lane) for pause in held]
    candidates = [
        Candidate(
            slug=row.slug,
            active=row.active,
            priority=row.priority,
            weight=row.weight,
            prefixes=_prefixes(row.countries),
            regions=_regions(row.countries),
            denied_prefixes=_prefixes(row.denied),
            denied_regions=_regions(row.denied),
            test=row.adapter == TEST,
            throughput=row.throughput,
        )
        for row in Provider.objects.only(*fields)
    ]
    return Snapshot(candidates, holds)


def _prefixes(countries: list[str]) -> tuple[str, ...]:
    return tuple(country for country in countries if country.startswith("+"))


def _regions(countries: list[str]) -> frozenset[str]:
    return frozenset(country for country in countries if not country.startswith("+"))
