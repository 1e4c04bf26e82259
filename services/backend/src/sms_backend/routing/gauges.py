"""Which providers are taken out, and what is left in their accounts, as gauges that are read when somebody asks."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import structlog
from django.db import Error as DatabaseError
from django.db import connection
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from sms_backend.routing import circuits

_BALANCES = """
SELECT p.slug, p.low_balance, b.amount, extract(epoch FROM b.told_at), b.error <> ''
FROM routing_provider p JOIN routing_providerbalance b ON b.provider_id = p.slug WHERE p.active ORDER BY p.slug
"""
_BY_PROVIDER = ["provider"]
log = structlog.get_logger()


class Providers(Collector):
    """
    Gauges from Redis and PostgreSQL; without either there are none.

    `database_answers` says whether PostgreSQL is worth asking: who asks while it is away waits for a connection for five seconds,
    and twice that is longer than Prometheus waits.
    """

    def __init__(self, *, database_answers: Callable[[], bool]) -> None:
        self._database_answers = database_answers

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """prometheus_client's hook."""
        if not self._database_answers():
            return
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT slug FROM routing_provider WHERE adapter <> 'test' AND active ORDER BY slug")
                slugs = [slug for (slug,) in cursor.fetchall()]
                cursor.execute("SELECT count(*) FROM routing_pause")
                (pauses,) = cursor.fetchone()
                cursor.execute(_BALANCES)
                left = cursor.fetchall()
        except DatabaseError as error:
            log.warning("metrics.unreadable", error=type(error).__name__)
            return
        found = circuits.said(slugs)
        gauge = GaugeMetricFamily(
            "smsgw_provider_circuit_open",
            "1 while a provider is taken out for being ill, by provider, unless it is disabled.",
            labels=["provider"],
        )
        for slug in slugs if found is not None else ():
            gauge.add_metric([slug], int(slug in (found or {})))
        yield gauge
        yield GaugeMetricFamily("smsgw_pauses", "What operators hold back: rows of `pause`.", value=pauses)
        yield from _balances(left)

    def describe(self) -> list[GaugeMetricFamily]:
        """Registering must not read anything."""
        return []


def _balances(rows: Iterable[tuple[Any, ...]]) -> Iterator[GaugeMetricFamily]:
    """Of active accounts that can be asked: what the vendor told, when, and from where on it is little."""
    left = GaugeMetricFamily(
        "smsgw_provider_balance", "What is left in an account, in its own currency, by provider; as last told.", labels=_BY_PROVIDER
    )
    low = GaugeMetricFamily(
        "smsgw_provider_low_balance", "Below which balance operators want to be told, by provider.", labels=_BY_PROVIDER
    )
    told = GaugeMetricFamily(
        "smsgw_provider_balance_told_timestamp_seconds",
        "When a balance was last told, in seconds since 1970, by provider.",
        labels=_BY_PROVIDER,
    )
    failed = GaugeMetricFamily(
        "smsgw_provider_balance_unanswered", "1 while the last question for a balance was not answered, by provider.", labels=_BY_PROVIDER
    )
    for slug, limit, amount, at, unanswered in rows:
        for gauge, value in ((left, amount), (low, limit), (told, at), (failed, unanswered)):
            if value is not None:
                gauge.add_metric([slug], float(value))
    yield from (left, low, told, failed)
