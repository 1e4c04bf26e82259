"""Which providers are taken out, as gauges that are read when somebody asks."""

from collections.abc import Iterator

import structlog
from django.db import Error as DatabaseError
from django.db import connection
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from sms_backend.routing import circuits

log = structlog.get_logger()


class Providers(Collector):
    """Gauges from Redis and PostgreSQL; without either there are none."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """prometheus_client's hook."""
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT slug FROM routing_provider WHERE adapter <> 'test' ORDER BY slug")
                slugs = [slug for (slug,) in cursor.fetchall()]
                cursor.execute("SELECT count(*) FROM routing_pause")
                (pauses,) = cursor.fetchone()
        except DatabaseError as error:
            log.warning("metrics.unreadable", error=type(error).__name__)
            return
        found = circuits.said(slugs)
        gauge = GaugeMetricFamily(
            "smsgw_provider_circuit_open", "1 while a provider is taken out for being ill, by provider.", labels=["provider"]
        )
        for slug in slugs if found is not None else ():
            gauge.add_metric([slug], int(slug in (found or {})))
        yield gauge
        yield GaugeMetricFamily("smsgw_pauses", "What operators hold back: rows of `pause`.", value=pauses)

    def describe(self) -> list[GaugeMetricFamily]:
        """Registering must not read anything."""
        return []
