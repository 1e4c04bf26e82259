"""What is waiting, as gauges that are read when somebody asks: bounded in labels, and in what they cost."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import structlog
from django.db import Error as DatabaseError
from django.db import connection
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from sms_backend.messages import partitions, sweeper_runs
from sms_backend.messages import waiting as waiting_now
from sms_backend.messages.hot import hot_cursor

log = structlog.get_logger()

#: A lane's backlog is counted no further: what matters by then is that it is large.
MOST = 100_000
#: Seconds for which one reading serves everybody who asks.
FRESH = 5.0

_OTHERS = f"""
SELECT
    (SELECT count(*) FROM (SELECT 1 FROM messages WHERE status = 'sending' LIMIT {MOST}) t),
    (SELECT count(*) FROM (SELECT 1 FROM messages WHERE status = 'sent' LIMIT {MOST}) t),
    (SELECT count(*) FROM (SELECT 1 FROM callbacks WHERE judged_at IS NULL LIMIT {MOST}) t),
    (SELECT count(*) FROM (SELECT 1 FROM parked LIMIT {MOST}) t),
    (SELECT count(*) FROM (SELECT 1 FROM projection_due WHERE due_at < now() LIMIT {MOST}) t),
    (SELECT count(*) FROM (SELECT 1 FROM webhook_deliveries WHERE state = 'pending' AND next_try_at <= now() LIMIT {MOST}) t),
    (SELECT count(*) FROM accounts_webhookendpoint WHERE failing_since IS NOT NULL AND disabled_at IS NULL)
"""  # noqa: S608 - a constant
_SWEEPERS = """
SELECT name, coalesce(extract(epoch FROM r.succeeded_at), 0) FROM unnest(%s::text[]) AS s (name) LEFT JOIN sweeper_runs r USING (name)
"""


class Waiting(Collector):
    """Gauges from PostgreSQL; where it does not answer there are none, and `smsgw_database_up` says so."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: Whether PostgreSQL answered the last reading.
        self.answered = True
        self._read_at = float("-inf")
        self._families: list[GaugeMetricFamily] = []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """prometheus_client's hook."""
        with self._lock:
            if time.monotonic() - self._read_at > FRESH:
                self.answered, self._families = _read()
                self._read_at = time.monotonic()
            yield from self._families

    def describe(self) -> list[GaugeMetricFamily]:
        """Registering must not read anything."""
        return []


def _read() -> tuple[bool, list[GaugeMetricFamily]]:
    """Whether PostgreSQL answered, and what there is to tell."""
    up = GaugeMetricFamily("smsgw_database_up", "Whether PostgreSQL answered.")
    waiting = GaugeMetricFamily(
        "smsgw_waiting_messages", f"Messages waiting for a provider, by lane; {MOST} means as many or more.", labels=["lane"]
    )
    oldest = GaugeMetricFamily(
        "smsgw_oldest_due_seconds",
        "How long ago the oldest waiting message of a lane was due; suspended clients left out.",
        labels=["lane"],
    )
    swept = GaugeMetricFamily(
        "smsgw_sweeper_last_success_timestamp_seconds",
        "When a sweeper last came to its end, in seconds since 1970, by name; 0: never yet.",
        labels=["sweeper"],
    )
    intervals = GaugeMetricFamily("smsgw_sweeper_interval_seconds", "How often a sweeper runs, by name.", labels=["sweeper"])
    for name, seconds in sweeper_runs.SWEEPERS.items():
        intervals.add_metric([name], seconds)
    try:
        lanes = waiting_now.lanes(MOST)
        with connection.cursor() as cursor:
            cursor.execute(_OTHERS)
            sending, sent, callbacks, parked, promises, webhooks, failing = cursor.fetchone()
            cursor.execute(_SWEEPERS, (list(sweeper_runs.SWEEPERS),))
            sweepers = cursor.fetchall()
        with hot_cursor() as cursor:
            ahead, strays = partitions.weeks_ahead(cursor, datetime.now(UTC)), partitions.strays(cursor)
    except (DatabaseError, psycopg.Error) as error:
        log.warning("metrics.unreadable", error=type(error).__name__)
        up.add_metric([], 0)
        return False, [up]
    up.add_metric([], 1)
    for name, moment in sweepers:
        swept.add_metric([name], moment)
    for lane in lanes:
        waiting.add_metric([lane.name], lane.waiting)
        oldest.add_metric([lane.name], lane.oldest)
    return True, [
        up,
        waiting,
        oldest,
        swept,
        intervals,
        GaugeMetricFamily("smsgw_partition_weeks_ahead", "For how many weeks after this one every table has its partition.", value=ahead),
        GaugeMetricFamily("smsgw_partition_strays", "1 while rows lie in a default partition, for there was none for them.", value=strays),
        GaugeMetricFamily("smsgw_sending_messages", "Messages with an attempt under way or unknown.", value=sending),
        GaugeMetricFamily(
            "smsgw_sent_messages", f"Messages that a provider has taken and not reported on; {MOST} means as many or more.", value=sent
        ),
        GaugeMetricFamily("smsgw_unjudged_callbacks", "Raw callbacks that nobody has judged yet.", value=callbacks),
        GaugeMetricFamily("smsgw_parked_messages", "What could not be processed and waits for a person.", value=parked),
        GaugeMetricFamily("smsgw_projection_due", "Promises to Redis that are due.", value=promises),
        GaugeMetricFamily("smsgw_webhooks_due", "Webhooks that wait for their try.", value=webhooks),
        GaugeMetricFamily("smsgw_webhook_endpoints_failing", "Endpoints in use where nothing arrives now.", value=failing),
    ]
