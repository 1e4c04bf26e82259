"""Two million messages with their attempts, reports and webhooks, as a fortnight leaves them: made in the database, counted by its own triggers."""

import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from psycopg.rows import namedtuple_row

from sms_backend.messages import tallies
from sms_contract.ids import floor

MESSAGES = 2_000_000
CHUNK = 100_000
DAYS = 14
#: Each time-ordered table has a partition a week, as it would have had.
_PARTITIONED = ("messages", "attempts", "attempt_parts", "receipts", "webhook_deliveries", "webhook_tries", "inbound_messages")
#: UUIDv7 of a moment, the rest of it from a hash.
_ID = "(lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(hash, 1, 3) || '8' || substr(hash, 4, 15))::uuid"
#: A fortnight that ends now: every hundredth failed, of the last few every second waits for its report, every tenth has a webhook, every
#: fiftieth an answer, every twentieth a number that wants no more, and was looked at.
_FILL = f"""
WITH made AS (
    SELECT n, %(now)s::timestamptz - make_interval(secs => %(seconds)s * (1 - n::float8 / %(all)s)) AS at, md5(n::text) AS hash,
        CASE WHEN n %% 100 = 0 THEN 'failed' WHEN n %% 2 = 1 AND n > %(all)s - 5000 THEN 'sent' ELSE 'delivered' END AS status,
        (ARRAY['alpha', 'beta', 'gamma'])[1 + n %% 3] AS provider,
        (ARRAY['+4479', '+1202', '+4915', '+3361'])[1 + n %% 4] || lpad((n %% 10000000)::text, 7, '0') AS recipient
    FROM generate_series(%(first)s, %(last)s) AS n
), keyed AS MATERIALIZED (
    SELECT *, {_ID} AS id FROM made
), messages AS (
    INSERT INTO messages (
        id, client_id, mode, lane, recipient, sender, text, encoding, segments, characters, max_segments, providers, reference, metadata,
        on_unknown, batch_index, status, version, attempts, round, tried, unsuitable, resends, provider, error_code, charged_segments,
        expires_at, created_at, stored_at, updated_at, sent_at, delivered_at
    )
    SELECT id, %(client)s, 'live', 'transactional', recipient, 'ACME', 'Your parcel is on its way.', 'gsm7', 1, 26, 10, '{{}}', 'order-' || n, '{{}}',
        'resend', 0, status, 3, 1, 0, '{{}}', '{{}}', 0, provider, CASE WHEN status = 'failed' THEN 'recipient.unreachable' END, 1,
        at + interval '1 day', at, at, at, at + interval '300 milliseconds',
        CASE WHEN status = 'delivered' THEN at + interval '2 seconds' END
    FROM keyed
), attempts AS (
    INSERT INTO attempts (message_id, number, provider, outcome, report, decision, lookups_missed, started_at, finished_at, error_code)
    SELECT id, 1, provider, CASE WHEN status = 'failed' THEN 'refused' ELSE 'accepted' END, nullif(status, 'failed'), '{{}}', 0,
        at, at + interval '300 milliseconds', CASE WHEN status = 'failed' THEN 'recipient.unreachable' END
    FROM keyed
), deliveries AS (
    INSERT INTO webhook_deliveries (
        id, client_id, target, mode, message_id, version, type, body, state, reason, tries, step, created_at, finished_at
    )
    SELECT id, %(client)s, 'whe_000000000000', 'live', id, 3, 'message.delivered', '', CASE WHEN n %% 100 = 0 THEN 'failed' ELSE 'delivered' END,
        CASE WHEN n %% 100 = 0 THEN 'http_status' END, 1, 1, at, at + interval '3 seconds'
    FROM keyed WHERE n %% 10 = 0
), tries AS (
    INSERT INTO webhook_tries (delivery_id, number, started_at, seconds, status, reason)
    SELECT id, 1, at + interval '2 seconds', 0.2, CASE WHEN n %% 100 = 0 THEN 500 ELSE 204 END, CASE WHEN n %% 100 = 0 THEN 'http_status' END
    FROM keyed WHERE n %% 10 = 0
), inbound AS (
    INSERT INTO inbound_messages (
        id, callback_id, provider, provider_message_id, sender, recipient, text, segments, client_id, asks, part, parts, received_at, handed_on_at
    )
    SELECT id, id, provider, 'mo-' || n, recipient, '+447700900000', 'Thank you', 1, %(client)s, CASE WHEN n %% 500 = 0 THEN 'stop' END, 0, 1, at, at
    FROM keyed WHERE n %% 50 = 0
), suppressions AS (
    INSERT INTO suppressions (client_id, recipient, sender, source, created_at)
    SELECT %(client)s, recipient, '', 'inbound', at FROM keyed WHERE n %% 20 = 0
), trail AS (
    INSERT INTO console_auditentry (id, at, who, action, object_type, object_id, object_name, changes, address)
    SELECT id, at, 'ann', CASE WHEN n %% 2000 = 0 THEN 'provider.tested' ELSE 'message.revealed' END, 'message', id::text, '', '{{}}', '127.0.0.1'
    FROM keyed WHERE n %% 20 = 0
)
INSERT INTO receipts (id, message_id, attempt, provider, status, part, parts, received_at, applied_at)
SELECT id, id, 1, provider, 'delivered', 0, 1, at + interval '2 seconds', at + interval '2 seconds' FROM keyed WHERE status = 'delivered'
"""


def superuser() -> psycopg.Connection:
    """The owner of the tests' own cluster, in the database of the system: it may see plans."""
    home = Path(os.environ["SMSGW_HOME"])
    password = json.loads((home / "secrets.json").read_text())["postgresql_superuser"]
    port = json.loads((home / "ports.json").read_text())["postgresql"]
    return psycopg.connect(f"postgresql://postgres:{password}@127.0.0.1:{port}/smsgw", autocommit=True)


def fill(connection: psycopg.Connection, client: str, *, tell: Callable[[str], None]) -> None:
    """By the hundred thousand, then as autovacuum leaves it; `tell` hears how far it is."""
    now = datetime.now(UTC)
    _weeks(connection, now)
    connection.execute("SET synchronous_commit = off")
    begun = time.monotonic()
    for first in range(1, MESSAGES + 1, CHUNK):
        given = {"all": MESSAGES, "now": now, "seconds": DAYS * 86400, "first": first, "last": first + CHUNK - 1, "client": client}
        connection.execute(_FILL, given)
        done, taken = first + CHUNK - 1, time.monotonic() - begun
        tell(f"{done:,} of {MESSAGES:,} messages after {taken:.0f} s, {(MESSAGES - done) * taken / done:.0f} s to go")
    connection.row_factory = namedtuple_row
    with connection.cursor() as cursor:
        while tallies.fold(cursor, now, limit=50_000):
            tell(f"tallies folded after {time.monotonic() - begun:.0f} s")
    connection.execute("VACUUM ANALYZE")
    tell(f"vacuumed after {time.monotonic() - begun:.0f} s")


def _weeks(connection: psycopg.Connection, now: datetime) -> None:
    """Partitions of the weeks that a young system never saw."""
    monday = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=now.weekday())
    for back in range(1, DAYS // 7 + 2):
        start = monday - timedelta(weeks=back)
        year, number, _ = start.isocalendar()
        for table in _PARTITIONED:
            first, last = (floor(int(moment.timestamp() * 1000)) for moment in (start, start + timedelta(weeks=1)))
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS {table}_{year}w{number:02d} PARTITION OF {table} FOR VALUES FROM ('{first}') TO ('{last}')"
            )
