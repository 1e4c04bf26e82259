"""Which endpoints want to hear of what, kept in the process for a moment, so that clients without webhooks cost nothing."""

import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sms_backend.accounts.models import WebhookEndpoint

#: Seconds for which a process may go on with what it read.
FRESH = 2.0


@dataclass(frozen=True, slots=True)
class Subscription:
    """An endpoint that is written to."""

    endpoint_id: str
    types: frozenset[str]  #: none: all

    def wants(self, kind: str) -> bool:
        return not self.types or kind in self.types


class Subscriptions:
    """One a process, shared by its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._by_client: Mapping[str, Sequence[Subscription]] = {}

    def by_client(self) -> Mapping[str, Sequence[Subscription]]:
        """Enabled endpoints of every client that has any; at most `FRESH` seconds old."""
        if time.monotonic() - self._read_at > FRESH:
            with self._lock:
                now = time.monotonic()
                if now - self._read_at > FRESH:
                    self._by_client, self._read_at = _read(), now
        return self._by_client

    @staticmethod
    def wait_until_known() -> None:
        """After a change: return once no process goes on with what it read before."""
        # Whoever read at the last moment before the commit goes on for so long.
        time.sleep(FRESH + 0.05)

    def forget(self) -> None:
        """Read the table at the next call."""
        self._read_at = float("-inf")


def _read() -> dict[str, list[Subscription]]:
    found: dict[str, list[Subscription]] = defaultdict(list)
    for endpoint_id, client_id, types in WebhookEndpoint.objects.filter(disabled_at=None).values_list("id", "client_id", "types"):
        found[client_id].append(Subscription(endpoint_id, frozenset(types)))
    return dict(found)


subscriptions = Subscriptions()
