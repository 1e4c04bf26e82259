"""Hot statements are prepared, planned once where that is asked for, and outlive a migration that changes what they return."""

import threading

import psycopg
import pytest
from django.db import connection

from sms_backend.messages.hot import hot_cursor
from sms_backend.pipeline import persist

_WHICH = "SELECT count(*) FROM messages WHERE id = %s::uuid"
_PLANS = (
    "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE 'SELECT count(*) FROM messages WHERE id = $1%%'"
)
_NUMBERS = "SELECT n FROM numbers WHERE n > %s::int"
_ID = "01a215a8-f580-7041-abc5-452ea5d2487c"


def plans(*, plan_once):
    with hot_cursor(plan_once=plan_once) as cursor:
        for _ in range(6):
            cursor.execute(_WHICH, (_ID,))
        return [tuple(row) for row in cursor.execute(_PLANS).fetchall()]


def test_what_runs_often_is_prepared_and_planned_once_where_asked_for():
    ((generic, custom),) = plans(plan_once=True)
    assert generic > 0
    assert custom == 0


def test_planning_once_ends_with_the_transaction():
    plans(plan_once=True)
    with hot_cursor() as cursor:
        assert cursor.execute("SHOW plan_cache_mode").fetchone() == ("auto",)


@pytest.fixture
def numbers():
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE numbers (n integer)")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE numbers")


def other_columns():
    """By another connection, as a migration would."""

    def migrate():
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE numbers ALTER COLUMN n TYPE bigint")
        connection.close()

    migration = threading.Thread(target=migrate)
    migration.start()
    migration.join()


def prepare():
    with hot_cursor() as cursor:
        for _ in range(6):
            cursor.execute(_NUMBERS, (0,))


def test_a_statement_whose_columns_a_migration_has_changed_fails_once(numbers):
    prepare()
    other_columns()
    with pytest.raises(psycopg.NotSupportedError, match="cached plan"), hot_cursor() as cursor:
        cursor.execute(_NUMBERS, (0,))
    prepare()


def test_and_what_a_provider_has_answered_is_settled_all_the_same(numbers, monkeypatch):
    monkeypatch.setattr(persist, "_PAUSES", (0.0,))
    prepare()
    other_columns()
    tries = []

    def change(cursor):
        tries.append(True)
        cursor.execute(_NUMBERS, (0,))
        return []

    persist.persist_at_any_cost(change)
    assert len(tries) == 2
