"""The search over a hundred thousand messages: by indexes, a bounded number of rows at a time, whatever is looked for."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from sms_backend.messages import partitions, search
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.search import Page, Search, page
from sms_contract.envelope import Submission
from sms_contract.ids import created_ms

CLIENT = "c0ffee000001"
ROWS = 100_000
#: One message each 6 ms, over the last ten minutes. One client has nine tenths; one has been silent since the first twentieth.
_FILL = """
INSERT INTO messages (
    id, client_id, mode, lane, recipient, text, encoding, segments, characters, max_segments, providers, reference, metadata, on_unknown,
    batch_id, batch_index, status, version, attempts, round, tried, unsuitable, resends, provider, charged_segments, expires_at, created_at,
    stored_at, updated_at
)
SELECT
    (lpad(to_hex(%(now)s - 600000 + n * 6), 12, '0') || '7000' || '8000' || lpad(to_hex(n), 12, '0'))::uuid,
    CASE WHEN n %% 10 = 0 THEN 'other' || n %% 9 WHEN n <= %(rows)s / 20 THEN 'early' ELSE %(client)s END, 'live', 'transactional', '+4479' || lpad((n %% 50000)::text, 8, '0'),
    'x', 'gsm7', 1, 1, 10, '{}', 'order-' || n / 2, '{}', 'resend',
    (lpad(to_hex(%(now)s - 600000 + n / 1000 * 1000 * 6), 12, '0') || '7000' || '9000' || lpad(to_hex(n / 1000), 12, '0'))::uuid, 0,
    CASE WHEN n = 5007 THEN 'failed' ELSE 'delivered' END, 3, 1, 0, '{}', '{}', 0, CASE WHEN n = 5007 THEN 'beta' ELSE 'alpha' END, 0,
    now(), now(), now(), now()
FROM generate_series(1, %(rows)s) AS n
"""


@pytest.fixture
def full(database: None) -> Iterator[int]:
    now = time.time_ns() // 1_000_000
    # As in production: in weeks, of which one holds nearly all.
    partitions.ensure(datetime.now(UTC))
    with connection.cursor() as cursor:
        cursor.execute(_FILL, {"now": now, "client": CLIENT, "rows": ROWS})
        cursor.execute("ANALYZE messages")
    yield now
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE messages")


def holding() -> set[str]:
    """Partitions in which there is something: an empty one is read in full as fast as not at all."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT tableoid::regclass::text FROM messages")
        return {name for (name,) in cursor.fetchall()}


def scans(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "Relation Name" in node:
        yield node
    for child in node.get("Plans", ()):
        yield from scans(child)


class Watched:
    """A cursor that has PostgreSQL explain each statement on messages after it has run."""

    def __init__(self, cursor: Any, read: list[dict[str, Any]]) -> None:
        self._cursor = cursor
        self._read = read

    def execute(self, statement: str, values: Any = None, **options: Any) -> Any:
        if " FROM messages " in statement:
            (plan,) = self._cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + statement, values, prepare=False).fetchone()
            plan = json.loads(plan) if isinstance(plan, str) else plan
            self._read += scans(plan[0]["Plan"])
        return self._cursor.execute(statement, values, **options)


@pytest.fixture
def explained(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Page, list[dict[str, Any]]]]:
    """A search, and all that PostgreSQL has read for it."""
    read: list[dict[str, Any]] = []

    @contextmanager
    def watched() -> Iterator[Watched]:
        with hot_cursor() as cursor:
            yield Watched(cursor, read)

    def run(wanted: Search, *, after: UUID | None = None, limit: int = 100) -> tuple[Page, list[dict[str, Any]]]:
        read.clear()
        return page(wanted, after=after, limit=limit), [scan for scan in read if scan["Actual Loops"]]

    monkeypatch.setattr(search, "hot_cursor", watched)
    return run


def test_every_search_goes_by_an_index_and_reads_little(full: int, explained: Any) -> None:
    newest, _ = explained(Search(client_id=CLIENT))
    middle = newest.messages[50]
    some = UUID(newest.messages[-1].tracking_id)
    at = datetime.fromtimestamp(created_ms(middle.tracking_id) / 1000, UTC) - timedelta(minutes=5)
    assert middle.batch_id is not None
    searches: list[tuple[Search, dict[str, Any], int]] = [
        (Search(client_id=CLIENT), {}, 101),
        (Search(client_id=CLIENT), {"after": some, "limit": 1000}, 1001),
        (Search(client_id="other1"), {}, 101),
        (Search(client_id="early"), {}, 101),
        (Search(client_id="nobody"), {}, 0),
        (Search(client_id=CLIENT, to=middle.to), {}, 5),
        (Search(client_id="early", to=middle.to), {}, 5),
        (Search(client_id=CLIENT, reference=middle.reference), {}, 3),
        (Search(client_id=CLIENT, batch_id=UUID(middle.batch_id)), {}, 1001),
        (Search(client_id=CLIENT, since=at, until=at + timedelta(seconds=1)), {}, 200),
        (Search(client_id=CLIENT, status="delivered"), {}, search.LOOK_THROUGH + 101),
        # The needle is the oldest: nothing of it on the first page, and the work is bounded.
        (Search(client_id=CLIENT, status="failed"), {}, 2 * search.LOOK_THROUGH),
        (Search(client_id=CLIENT, provider="beta"), {}, 2 * search.LOOK_THROUGH),
    ]
    for wanted, options, most in searches:
        _, read = explained(wanted, **options)
        assert not [scan for scan in read if scan["Node Type"] == "Seq Scan" and scan["Relation Name"] in holding()], wanted
        touched = sum((scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)) * scan["Actual Loops"] for scan in read)
        assert touched <= most, (wanted, touched)


def test_the_needle_is_found_in_the_end(full: int) -> None:
    after, pages = None, 0
    while True:
        found = page(Search(client_id=CLIENT, status="failed"), after=after, limit=100)
        pages += 1
        if found.messages:
            break
        assert found.last is not None
        after = found.last
    assert (pages, found.messages[0].provider and found.messages[0].provider.name, found.last) == (5, "beta", None)


def test_no_partition_is_read_that_cannot_hold_it(stored: Callable[..., Submission], explained: Any) -> None:
    at = datetime.fromtimestamp(stored().reserved_at / 1000, UTC)
    found, read = explained(Search(client_id=CLIENT, since=at, until=at + timedelta(seconds=1)))
    assert len(found.messages) == 1
    assert len({scan["Relation Name"] for scan in read}) == 1
