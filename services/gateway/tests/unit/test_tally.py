"""Counted in plain numbers, and the same in the end."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from sms_gateway.observability.tally import Count, Distribution, fold

AMOUNTS = [0.0, 0.5, 1.0, 1.5, 2.0, 99.0]


def exposed(*, plain: bool) -> list[str]:
    registry = CollectorRegistry()
    counter = Counter("c", "c", registry=registry)
    histogram = Histogram("h", "h", registry=registry, buckets=(1, 2))
    for part in (AMOUNTS[:3], AMOUNTS[3:], []):
        count, distribution = Count(counter), Distribution(histogram)
        for amount in part:
            (counter if plain else count).inc()
            (histogram if plain else distribution).observe(amount)
        fold()
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]


def test_folding_is_the_same_as_counting_at_once() -> None:
    assert exposed(plain=False) == exposed(plain=True)


def test_nothing_is_added_twice() -> None:
    registry = CollectorRegistry()
    count = Count(Counter("c", "c", registry=registry))
    count.inc()
    fold()
    fold()
    assert registry.get_sample_value("c_total") == pytest.approx(1)
