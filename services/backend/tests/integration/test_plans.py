"""
The hot statements go to the rows that they name, however far apart these lie and however much there is between and beside them.

Each is explained as it runs, with the plan that its connection would make for it: a plan that is found by a table's size alone may read all
between the least and the greatest of a batch.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connection

from sms_backend.accounts import webhooks
from sms_backend.accounts.models import Client
from sms_backend.messages import claim, deliveries, partitions
from sms_backend.messages.advance import Report, advance
from sms_backend.messages.deliveries import Tried
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.settle import Settlement, settle
from sms_contract.ids import created_ms
from sms_contract.status import Status

#: Messages in each of so many weeks.
WEEKS, EACH = 5, 10_000
BATCH = 50
LARGE = re.compile(r"^(messages|attempts|attempt_parts|webhook_deliveries|webhook_tries)(_|$)")
_PARAMETER = re.compile(r"%%|%s|%\((\w+)\)s")
_KEY = "(lpad(to_hex(%(first)s + n::bigint * %(step)s), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid"
_FILL = f"""
INSERT INTO messages (
    id, client_id, mode, lane, recipient, text, encoding, segments, characters, max_segments, providers, metadata, on_unknown, batch_index,
    status, version, attempts, round, tried, unsuitable, resends, provider, charged_segments, expires_at, created_at, stored_at, updated_at,
    lease_until, next_attempt_at
)
SELECT {_KEY}, %(client)s, 'live', 'transactional', '+4479' || lpad(n::text, 8, '0'), 'x', 'gsm7', 1, 1, 10, '{{}}', '{{}}', 'resend', 0,
    CASE n %% 1000 WHEN 0 THEN 'sending' WHEN 1 THEN 'queued' ELSE 'delivered' END, 3, CASE WHEN n %% 1000 = 1 THEN 0 ELSE 1 END, 0, '{{}}',
    '{{}}', 0, 'alpha', 0, now() + interval '1 day', now(), now(), now(), now() + interval '1 hour', now()
FROM generate_series(1, %(count)s) AS n
"""
_ATTEMPTS = f"""
INSERT INTO attempts (message_id, number, provider, outcome, provider_message_id, decision, lookups_missed, started_at)
SELECT {_KEY}, 1, 'alpha', CASE n %% 1000 WHEN 0 THEN 'started' ELSE 'accepted' END, CASE n %% 1000 WHEN 0 THEN NULL ELSE 'SM' || n END, '{{}}',
    0, now()
FROM generate_series(1, %(count)s) AS n WHERE n %% 1000 <> 1
"""
#: Of each thousand two are due: one of a receiver's own, one that waits behind an earlier event of the same message.
_DELIVERIES = f"""
INSERT INTO webhook_deliveries (
    id, client_id, target, mode, message_id, version, type, body, state, tries, step, next_try_at, created_at, finished_at
)
SELECT {_KEY}, %(client)s, %(target)s, 'live', {_KEY}, 3, 'message.sent', '{{}}', CASE WHEN n %% 500 = 0 THEN 'pending' ELSE 'delivered' END, 1, 1,
    CASE WHEN n %% 500 = 0 THEN now() END, now(), CASE WHEN n %% 500 = 0 THEN NULL ELSE now() END
FROM generate_series(1, %(count)s) AS n
"""


@pytest.fixture
def full(client: Client) -> Iterator[None]:
    """Five weeks of messages, nearly all of them over and done."""
    now = datetime.now(UTC)
    first = now - timedelta(weeks=WEEKS - 1)
    for week in range(WEEKS):
        partitions.ensure(first + timedelta(weeks=week))
    endpoint = webhooks.add_endpoint(client, "https://127.0.0.1:1/hook").endpoint
    count = WEEKS * EACH
    step = int((now - first).total_seconds() * 1000) // count
    values = {"first": int(first.timestamp() * 1000), "step": step, "count": count, "client": client.id, "target": endpoint.id}
    with connection.cursor() as cursor:
        for statement in (_FILL, _ATTEMPTS, _DELIVERIES):
            cursor.execute(statement, values)
        for table in ("messages", "attempts", "webhook_deliveries"):
            cursor.execute(f"ANALYZE {table}")
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE messages, attempts, webhook_deliveries, webhook_tries")


class Watched:
    """A cursor that has PostgreSQL tell how many rows of large tables a statement goes over, before it runs it."""

    def __init__(self, cursor: psycopg.Cursor[Any]) -> None:
        self._cursor = cursor
        self.walked: Counter[str] = Counter()  #: by the statement's beginning

    def execute(self, statement: str, values: Any = (), **options: Any) -> Any:
        if any(f" {table}" in statement for table in ("messages", "attempts", "webhook_deliveries")):
            self.walked[" ".join(statement.split())[:60]] += self._rows(statement, values)
        return self._cursor.execute(statement, values, **options)

    def _rows(self, statement: str, values: Any) -> int:
        text, given = _numbered(statement, values)
        literal = psycopg.ClientCursor(self._cursor.connection)
        arguments = ", ".join(literal.mogrify("%s", [value]) for value in given)
        self._cursor.execute("SAVEPOINT looked")
        self._cursor.execute(f"PREPARE looked AS {text}", prepare=False)
        self._cursor.execute(
            f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE looked ({arguments})" if given else "EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE looked"
        )
        (plan,) = self._cursor.fetchone() or ({},)
        self._cursor.execute("ROLLBACK TO looked")
        self._cursor.execute("DEALLOCATE looked")
        return sum(_over(node) for node in _nodes((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]))


def _numbered(statement: str, values: Any) -> tuple[str, list[Any]]:
    """With `$1` and so on, as PREPARE wants it, and the values in their order."""
    given: list[Any] = []
    names: dict[str, int] = {}

    def put(found: re.Match[str]) -> str:
        if found.group() == "%%":
            return "%"
        name = found[1]
        if name is None:
            given.append(values[len(given)])
            return f"${len(given)}"
        if name not in names:
            given.append(values[name])
            names[name] = len(given)
        return f"${names[name]}"

    return _PARAMETER.sub(put, statement), given


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _over(node: dict[str, Any]) -> int:
    if not LARGE.match(node.get("Relation Name", "")) or node["Node Type"] == "ModifyTable":
        return 0
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return int(node["Actual Loops"] * (node["Actual Rows"] + removed))


def watched(act: Callable[[Any], Any]) -> tuple[Any, Counter[str]]:
    """Done as the workers do it."""
    with hot_cursor(plan_once=True) as cursor:
        watching = Watched(cursor)
        return act(watching), watching.walked


def far_apart(status: str) -> Sequence[Any]:
    """A batch of messages from the oldest week to the newest."""
    with hot_cursor() as cursor:
        rows = cursor.execute("SELECT id, client_id, recipient, attempts FROM messages WHERE status = %s ORDER BY id", (status,)).fetchall()
    assert len(rows) == BATCH
    assert created_ms(str(rows[-1].id)) - created_ms(str(rows[0].id)) > (WEEKS - 2) * 7 * 86_400_000
    return rows


def settlement(message_id: UUID) -> Settlement:
    return Settlement(
        message_id=message_id,
        number=1,
        outcome="accepted",
        status=Status.SENT,
        round=0,
        tried=(),
        unsuitable=(),
        provider="alpha",
        provider_message_id=f"SM-{message_id}",
    )


def test_settling_and_reporting_go_to_what_they_name(full: None) -> None:
    ids = [row.id for row in far_apart("sending")]
    rows, walked = watched(lambda cursor: settle(cursor, [settlement(each) for each in ids]))
    assert len(rows) == BATCH
    assert {statement: count for statement, count in walked.items() if count > 2 * BATCH} == {}
    reports = [Report(message_id=each, number=1, provider="alpha", status=Status.DELIVERED) for each in ids]
    advanced, walked = watched(lambda cursor: advance(cursor, reports))
    assert len(advanced.rows) == BATCH
    assert {statement: count for statement, count in walked.items() if count > 2 * BATCH} == {}


def test_a_claim_goes_to_what_is_due(full: None) -> None:
    def take(cursor: Any) -> int:
        rows = claim.due(cursor, lane="transactional", limit=BATCH, now_ms=time.time_ns() // 1_000_000)
        claim.start(cursor, [claim.Start(message=row, provider="alpha", decision={}) for row in rows], lease=60)
        return len(rows)

    count, walked = watched(take)
    assert count > BATCH // 2
    assert {statement: rows for statement, rows in walked.items() if rows > 4 * BATCH} == {}


def test_a_claim_of_webhooks_goes_to_what_is_due_and_settling_to_what_it_names(full: None) -> None:
    claimed, walked = watched(lambda cursor: deliveries.claim(cursor, limit=BATCH, lease=60, busy=[]))
    assert len(claimed) == deliveries.PER_TARGET
    # What is due, beside what is claimed, is looked at to be put in order; what was delivered is not.
    assert {statement: rows for statement, rows in walked.items() if rows > 8 * BATCH} == {}
    tried = [
        Tried(
            id=row.id,
            target=row.target,
            number=row.tries,
            started_at=row.claimed_at,
            seconds=0.1,
            status=204,
            reason=None,
            state="delivered",
            step=1,
        )
        for row in claimed
    ]
    _, walked = watched(lambda cursor: deliveries.settle(cursor, tried, patience=60))
    assert {statement: rows for statement, rows in walked.items() if rows > 2 * BATCH} == {}
