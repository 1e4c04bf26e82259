"""Metrics of Server B: names and labels; the labels are bounded by providers, lanes and codes."""

import os
import socket
from bisect import bisect_left
from collections import Counter as Counts
from collections import defaultdict, deque
from contextlib import suppress
from functools import cache, lru_cache

from prometheus_client import Counter, Histogram, values

_HOST = socket.gethostname().replace("_", "-")


@lru_cache(maxsize=64)
def process(pid: int) -> str:
    """What a process calls itself in a folder of metrics: containers share one, and each begins to count its processes at one."""
    return f"{_HOST}-{pid}"


if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
    values.ValueClass = values.MultiProcessValue(lambda: process(os.getpid()))  # type: ignore[no-untyped-call]

stored = Counter("smsgw_stored_total", "Messages stored by intake.")
ended = Counter(
    "smsgw_messages_ended_total",
    "Messages that became final, by status and provider; one that a late report corrects counts once more, as what it is then.",
    ["status", "provider"],
)
parked = Counter("smsgw_parked_total", "Entries that could not be decoded or stored.", ["queue"])
attempts = Counter("smsgw_attempts_total", "Attempts settled, by provider and outcome.", ["provider", "outcome"])
circuit_changes = Counter("smsgw_circuit_changes_total", "Circuits that opened or closed, by provider.", ["provider", "change"])
circuit_probes = Counter(
    "smsgw_circuit_probes_total", "Calls that tried out an ill provider, by what they found (`well`, `ill`).", ["provider", "found"]
)
lookups = Counter("smsgw_lookups_total", "Look-ups of unknown outcomes, by provider and what was found.", ["provider", "found"])
receipts = Counter("smsgw_receipts_total", "Delivery reports, by provider and what became of them.", ["provider", "verdict"])
provider_seconds = Histogram(
    "smsgw_provider_request_seconds",
    "Requests to providers, by account and result.",
    ["provider", "result"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)
webhooks = Counter("smsgw_webhook_tries_total", "Tries to deliver a webhook, by what came of them.", ["result"])
webhook_seconds = Histogram(
    "smsgw_webhook_seconds", "How long receivers of webhooks take.", buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15)
)
endpoints_disabled = Counter("smsgw_webhook_endpoints_disabled_total", "Endpoints disabled by themselves: gone, or failing.", ["reason"])
inbound = Counter("smsgw_inbound_total", "Messages from people, by provider and what became of them.", ["provider", "verdict"])
opt_outs = Counter("smsgw_opt_outs_total", "Numbers put on or taken off a suppression list.", ["change", "source"])
opted_out = Counter(
    "smsgw_opted_out_total", "Messages that were not sent because their recipient has opted out, by who found it.", ["found_by"]
)


#: Of exchanges with providers, in any thread: account, result, seconds.
_observed: deque[tuple[str, str, float]] = deque()


def observe_provider(provider: str, result: str, seconds: float) -> None:
    """What the transport tells of each exchange; it counts with the next `count_observed`."""
    _observed.append((provider, result, seconds))


def count_observed() -> None:
    """
    Add what was observed to the metric, many at once.

    With `PROMETHEUS_MULTIPROC_DIR` each step of a metric packs a number into a file; one by one that was a twentieth of what a worker does.
    """
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    with suppress(IndexError):
        while True:
            provider, result, seconds = _observed.popleft()
            found[provider, result].append(seconds)
    for about, all_seconds in found.items():
        histogram = _provider_seconds(*about)
        # The library has no open way to add more than one observation: its buckets are counters, not yet cumulative.
        bounds: list[float] = histogram._upper_bounds  # noqa: SLF001
        for bucket, count in Counts(bisect_left(bounds, seconds) for seconds in all_seconds).items():
            histogram._buckets[bucket].inc(count)  # noqa: SLF001
        histogram._sum.inc(sum(all_seconds))  # noqa: SLF001


@cache
def _provider_seconds(provider: str, result: str) -> Histogram:
    # Finding it costs more than counting.
    return provider_seconds.labels(provider, result)
