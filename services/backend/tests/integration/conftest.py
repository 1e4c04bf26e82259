"""Real PostgreSQL and Redis for each test, empty."""

import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction
from pytest_django.plugin import DjangoDbBlocker

from sms_backend.accounts.models import Client
from sms_backend.accounts.subscriptions import subscriptions
from sms_backend.core.cache import cache
from sms_backend.core.crypto import seal
from sms_backend.core.readiness import mark, readiness
from sms_backend.messages import pseudonyms
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.store import store
from sms_backend.pipeline.adapters import adapters
from sms_backend.routing import selectors
from sms_backend.routing.models import Provider
from sms_contract.envelope import Submission
from sms_contract.ids import uuid7

CLIENT = "c0ffee000001"
#: What `migrate` fills, and no message, client or user is in.
KEPT = {"django_migrations", "django_content_type", "auth_permission", "auth_group", "auth_group_permissions"}


@pytest.fixture(scope="session")
def django_db_setup(database_url: str, django_db_blocker: DjangoDbBlocker) -> None:
    """The database is this process's own already: only its tables are missing."""
    with django_db_blocker.unblock():
        call_command("migrate", verbosity=0)


@pytest.fixture
def database(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """
    PostgreSQL, emptied after the test.

    Django's own `transactional_db` truncates every table and makes all permissions anew, which takes longer than most tests: here only
    what holds something is emptied, and the roles and permissions are made anew only where a test has changed them.
    """
    with django_db_blocker.unblock():
        before = _kept()
        yield
        _drop_weeks()
        _empty()
        if _kept() != before:
            call_command("flush", interactive=False, verbosity=0)
        connections.close_all()


@pytest.fixture(autouse=True)
def _clean(database: None, redis_url: str) -> Iterator[None]:
    cache.flushdb()
    adapters.forget()
    selectors.forget()
    subscriptions.forget()
    pseudonyms.forget()
    yield
    adapters.forget()
    selectors.forget()


def _drop_weeks() -> None:
    """Emptying a table takes its time for each partition: those that a test has made are not for the next."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(relname, ', ') FROM pg_class WHERE relkind = 'r' AND relname ~ '_[0-9]{4}w[0-9]{2}$'")
        (names,) = cursor.fetchone()
        if names:
            cursor.execute(f"DROP TABLE {names}")


def _empty() -> None:
    """Few rows are deleted sooner than a table is truncated, where its triggers let them go."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("""
            SELECT oid::regclass::text, pg_relation_size(oid) > 262144 OR EXISTS (SELECT FROM pg_trigger WHERE tgrelid = pg_class.oid AND NOT tgisinternal)
            FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        """)
        truncated = {name: bool(how) for name, how in cursor.fetchall() if name not in KEPT}
        cursor.execute(" UNION ALL ".join(f"(SELECT '{name}' WHERE EXISTS (SELECT FROM {name}))" for name in truncated))
        full = [name for (name,) in cursor.fetchall()]
        # Truncated first: what has grown may refer to rows that are deleted, and references among those are checked at the end.
        for name in full:
            if truncated[name]:
                cursor.execute(f"TRUNCATE {name} CASCADE")
        for name in full:
            if not truncated[name]:
                cursor.execute(f"DELETE FROM {name}")


def _kept() -> str:
    """A digest of what is not emptied."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT md5(string_agg(line, ',' ORDER BY line)) FROM ("
            + " UNION ALL ".join(f"SELECT '{name}' || to_jsonb({name})::text AS line FROM {name}" for name in sorted(KEPT))
            + ") AS lines"
        )
        (digest,) = cursor.fetchone()
        return str(digest)


@pytest.fixture
def client() -> Client:
    return Client.objects.create(id=CLIENT, name="shop")


@pytest.fixture
def test_provider() -> Provider:
    return Provider.objects.create(slug="test", adapter="test", config=seal({}))


@pytest.fixture
def submission() -> Callable[..., Submission]:
    """A submission with the fields that a test cares about."""

    def make(**fields: Any) -> Submission:
        now = time.time_ns() // 1_000_000
        usual: dict[str, Any] = {
            "tracking_id": uuid7(now),
            "client": CLIENT,
            "mode": "test",
            "to": "+15005550006",
            "text": "Your code is 123456",
            "fingerprint": "ab" * 32,
            "reserved_at": now,
            "segments": 1,
            "encoding": "gsm7",
            "characters": 19,
            "expires_at": now + 86_400_000,
        }
        return Submission(**(usual | fields))

    return make


@pytest.fixture
def stored(submission: Callable[..., Submission]) -> Callable[..., Submission]:
    """A submission that is in the database."""

    def make(**fields: Any) -> Submission:
        made = submission(**fields)
        with hot_cursor() as cursor:
            store(cursor, [made])
        return made

    return make


@pytest.fixture
def ready(_clean: None) -> None:
    """Redis is marked as it is once Server B has filled it."""
    for field in ("admit", "statuses"):
        mark(field, readiness().run_id)


@pytest.fixture
def manage() -> Callable[..., str]:
    """Run an operator's command, for what it prints."""

    def run(*arguments: str) -> str:
        out = io.StringIO()
        call_command(*arguments, stdout=out, stderr=io.StringIO())
        return out.getvalue()

    return run


@pytest.fixture
def manage_json(manage: Callable[..., str]) -> Callable[..., Any]:
    """Run an operator's command, for its document."""
    return lambda *arguments: json.loads(manage(*arguments, "--json"))


@contextmanager
def _hidden(message_id: str) -> Iterator[None]:
    with hot_cursor() as cursor:
        cursor.execute("CREATE TABLE away AS SELECT * FROM messages WHERE id = %s", (message_id,))
        cursor.execute("DELETE FROM messages WHERE id = %s", (message_id,))
    try:
        yield
    finally:
        with hot_cursor() as cursor:
            cursor.execute("INSERT INTO messages SELECT * FROM away")
            cursor.execute("DROP TABLE away")


@pytest.fixture
def out_of_sight() -> Callable[[str], AbstractContextManager[None]]:
    """A message whose row is not in `messages` for a while, as if its partition were detached; its attempts are where they were."""
    return _hidden
