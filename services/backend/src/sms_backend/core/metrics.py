"""Metrics of Server B: names and labels; the labels are bounded by providers, lanes and codes."""

import os
import socket
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


def observe_provider(provider: str, result: str, seconds: float) -> None:
    """What the transport tells of each exchange."""
    _provider_seconds(provider, result).observe(seconds)


@cache
def _provider_seconds(provider: str, result: str) -> Histogram:
    # Finding it costs more than counting.
    return provider_seconds.labels(provider, result)
