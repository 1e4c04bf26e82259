"""Two million messages with their attempts and reports, as a fortnight leaves them: made in the database, by the table's own triggers counted."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from system import ROOT

MESSAGES = 2_000_000
_CHUNK = 100_000
#: A fortnight that ends now; every hundredth fails, every fiftieth waits for its report.
_FILL = """
WITH made AS (
    SELECT n, now() - interval '14 days' * (1 - n::float8 / %(all)s) AS at, md5(n::text) AS hash,
        CASE WHEN n %% 100 = 0 THEN 'failed' WHEN n %% 50 = 1 THEN 'sent' ELSE 'delivered' END AS status,
        (ARRAY['alpha', 'beta', 'gamma'])[1 + n %% 3] AS provider,
        (ARRAY['+4479', '+1202', '+4915', '+3361'])[1 + n %% 4] || lpad((n %% 10000000)::text, 7, '0') AS recipient
    FROM generate_series(%(first)s, %(last)s) AS n
), keyed AS (
    SELECT *, (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(hash, 1, 3) || '8' || substr(hash, 4, 15))::uuid AS id
    FROM made
), messages AS (
    INSERT INTO messages (
        id, client_id, mode, lane, recipient, sender, text, encoding, segments, characters, max_segments, providers, reference, metadata,
        on_unknown, batch_index, status, version, attempts, round, tried, unsuitable, resends, provider, error_code, charged_segments,
        expires_at, created_at, stored_at, updated_at, sent_at, delivered_at
    )
    SELECT id, %(client)s, 'live', 'transactional', recipient, 'ACME', 'Your parcel is on its way.', 'gsm7', 1, 26, 10, '{}', 'order-' || n, '{}',
        'resend', 0, status, 3, 1, 0, '{}', '{}', 0, provider, CASE WHEN status = 'failed' THEN 'recipient.unreachable' END, 1,
        at + interval '1 day', at, at, at, at + interval '300 milliseconds',
        CASE WHEN status = 'delivered' THEN at + interval '2 seconds' END
    FROM keyed
), attempts AS (
    INSERT INTO attempts (message_id, number, provider, outcome, report, decision, lookups_missed, started_at, finished_at, error_code)
    SELECT id, 1, provider, CASE WHEN status = 'failed' THEN 'refused' ELSE 'accepted' END, nullif(status, 'failed'), '{}', 0,
        at, at + interval '300 milliseconds', CASE WHEN status = 'failed' THEN 'recipient.unreachable' END
    FROM keyed
)
INSERT INTO receipts (id, message_id, attempt, provider, status, part, parts, received_at, applied_at)
SELECT id, id, 1, provider, 'delivered', 0, 1, at + interval '2 seconds', at + interval '2 seconds' FROM keyed WHERE status = 'delivered'
"""
_READ = """
SELECT coalesce(sum(seq_tup_read), 0)::bigint, coalesce(sum(idx_tup_fetch), 0)::bigint FROM pg_stat_user_tables
WHERE relname ~ '^(messages|attempts|receipts|callbacks|webhook_deliveries|webhook_tries|inbound_messages)_'
"""


@contextmanager
def database() -> Iterator[psycopg.Connection]:
    """The system's own, as its status names it."""
    done = subprocess.run([str(ROOT / "smsgw"), "status", "--json"], capture_output=True, text=True, timeout=60, check=True)
    url = next(each["url"] for each in json.loads(done.stdout)["services"] if each["name"] == "postgresql")
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def fill(connection: psycopg.Connection, client: str) -> None:
    """By the hundred thousand, then as autovacuum leaves it."""
    for first in range(1, MESSAGES + 1, _CHUNK):
        connection.execute(_FILL, {"all": MESSAGES, "first": first, "last": first + _CHUNK - 1, "client": client})
    connection.execute("VACUUM ANALYZE")


def rows_read(connection: psycopg.Connection) -> tuple[int, int]:
    """Of the partitioned tables, since ever: by going through them, and by an index."""
    connection.execute("SELECT pg_stat_force_next_flush()")
    connection.execute("SELECT pg_stat_clear_snapshot()")
    row = connection.execute(_READ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])
