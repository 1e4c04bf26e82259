"""
Metrics. Labels come from small fixed sets only; children that the hot path needs are made once.

With `PROMETHEUS_MULTIPROC_DIR` several processes add up in files; then the gauges are sums over the processes that live.
"""

import os
from collections.abc import Callable
from functools import cache
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from sms_gateway.observability.tally import Count, Distribution, fold

__all__ = ["CONTENT_TYPE", "Count", "Counter", "Distribution", "Histogram", "fold"]

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

REQUESTS: Final = Counter("smsgw_http_requests", "Answers by route and status.", ["method", "route", "status"])
SECONDS: Final = Histogram(
    "smsgw_http_request_seconds",
    "From the first byte of a request to the end of its answer.",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 3.5),
)
ACCEPTED: Final = Counter("smsgw_messages_accepted", "Messages answered 202 for the first time.", ["mode", "traffic_type"])
REPLAYED: Final = Counter("smsgw_messages_replayed", "Repeats of an idempotency key that got the first answer again.")
PROBLEMS: Final = Counter("smsgw_problems", "Error answers by code.", ["code"])
CALLBACKS: Final = Counter("smsgw_callbacks", "Requests of providers that were queued.", ["provider"])
FLUSH_ITEMS: Final = Histogram(
    "smsgw_flush_items", "Items that shared a flush.", ["stage"], buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
)
FLUSH_SECONDS: Final = Histogram(
    "smsgw_flush_seconds", "How long a flush took.", ["stage"], buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 3)
)
IN_FLIGHT: Final = Gauge("smsgw_in_flight", "Submissions under way.", multiprocess_mode="livesum")
BROKER_UP: Final = Gauge("smsgw_broker_up", "1 where publishing is possible.", multiprocess_mode="livemin")
CACHE_READY: Final = Gauge("smsgw_cache_ready", "1 where the read model may be believed.", multiprocess_mode="livemin")


@cache
def flush_observer(stage: str) -> Callable[[int, float], None]:
    """What a coalescer reports its flushes to."""
    items, seconds = Distribution(FLUSH_ITEMS.labels(stage)), Distribution(FLUSH_SECONDS.labels(stage))

    def observe(count: int, duration: float) -> None:
        items.observe(count)
        seconds.observe(duration)

    return observe


def exposition() -> bytes:
    """All metrics, in the text format of Prometheus."""
    fold()
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
