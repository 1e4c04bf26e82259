"""Tallies add up to the tables, whatever changes them, and however often and by how many they are folded."""

import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection, connections
from django.utils import timezone

from sms_backend.messages import tallies
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.tallies import Window
from sms_contract.phone import calling_prefixes, region

_SLOT = "date_bin('{minutes} minutes', {at}, timestamptz '2000-01-01')"
#: The same, counted.
_COUNTED = f"""
SELECT {_SLOT.format(minutes="{minutes}", at="created_at")} AS at, mode, coalesce(provider, '') AS provider, status,
    coalesce(error_code, '') AS code, count(*) AS n
FROM messages GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
"""
_TALLIED = """
SELECT at, mode, provider, status, code, sum(n)::bigint AS n FROM tallies WHERE minutes = {minutes} AND kind = 'message'
GROUP BY 1, 2, 3, 4, 5 HAVING sum(n) <> 0 ORDER BY 1, 2, 3, 4, 5
"""
_ATTEMPTS = "SELECT provider, outcome, coalesce(error_code, ''), count(*) FROM attempts WHERE outcome <> 'started' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
_COUNTRIES = "SELECT smsgw_region(recipient), count(*) FROM messages GROUP BY 1 ORDER BY 1"
_COUNTRIES_TALLIED = """
SELECT country, sum(n)::bigint FROM tallies WHERE minutes = 60 AND kind = 'message' GROUP BY 1 HAVING sum(n) <> 0 ORDER BY 1
"""
_ATTEMPTS_TALLIED = """
SELECT provider, status, code, sum(n)::bigint FROM tallies WHERE minutes = 60 AND kind = 'attempt' GROUP BY 1, 2, 3 HAVING sum(n) <> 0 ORDER BY 1, 2, 3
"""


def rows(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def fold_all(limit=1000):
    while True:
        with hot_cursor() as cursor:
            if not tallies.fold(cursor, timezone.now(), limit=limit):
                return


def adds_up():
    for minutes in (5, 60):
        counted = rows(_COUNTED.format(minutes=minutes))
        assert rows(_TALLIED.format(minutes=minutes)) == counted
    assert rows(_ATTEMPTS_TALLIED) == rows(_ATTEMPTS)
    assert rows(_COUNTRIES_TALLIED) == rows(_COUNTRIES)
    for kind, column in (("taken", "sent_at"), ("arrived", "delivered_at")):
        ((times,),) = rows(f"SELECT count(*) FROM messages WHERE {column} IS NOT NULL")
        assert rows(f"SELECT coalesce(sum(n), 0)::bigint FROM tallies WHERE minutes = 60 AND kind = '{kind}'") == [(times,)]
    assert rows("SELECT count(*) FROM tallies WHERE n < 0") == [(0,)]


def change(sql, *values):
    with hot_cursor() as cursor:
        return cursor.execute(sql, values).rowcount


def test_regions_in_the_database_are_those_of_the_contract():
    numbers = [f"+{prefix}5550100"[:16] for prefix in calling_prefixes()] + ["+9995550100", "+12025550100", "+74955550100"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT number, smsgw_region(number) FROM unnest(%s::text[]) AS number", (numbers,))
        assert dict(cursor.fetchall()) == {number: region(number) or "" for number in numbers}


def test_they_add_up_through_a_life(client, stored):
    ids = [UUID(stored(to=to).tracking_id) for to in ("+447911123456", "+12025550100", "+4915112345678", "+447911123457") for _ in range(5)]
    fold_all()
    adds_up()
    change("UPDATE messages SET status = 'sending', attempts = 1, version = version + 1")
    for position, message_id in enumerate(ids):
        change(
            "INSERT INTO attempts (message_id, number, provider, outcome, decision, lookups_missed, started_at) VALUES (%s, 1, %s, 'started', '{}', 0, now())",
            message_id,
            ["alpha", "beta"][position % 2],
        )
    # Folded in the middle of it, or not at all until the end: the same.
    fold_all(limit=3)
    adds_up()
    change("UPDATE attempts SET outcome = 'unavailable', error_code = 'provider.busy' WHERE provider = 'beta'")
    change("UPDATE attempts SET outcome = 'unknown' WHERE provider = 'alpha'")
    change("UPDATE attempts SET outcome = 'accepted' WHERE outcome = 'unknown'")
    change("UPDATE messages SET status = 'sent', provider = 'alpha', sent_at = now() WHERE id = ANY(%s)", ids[:10])
    change("UPDATE messages SET status = 'failed', provider = 'beta', error_code = 'recipient.unreachable' WHERE id = ANY(%s)", ids[10:15])
    change("UPDATE messages SET status = 'delivered', delivered_at = now() + interval '3 seconds' WHERE id = ANY(%s)", ids[:7])
    fold_all()
    adds_up()
    change("UPDATE messages SET version = version + 1")
    assert rows("SELECT count(*) FROM tally_changes") == [(0,)]
    # Numbers that are no longer kept are of no country, whatever they look like.
    change("UPDATE messages SET recipient = '#44911abcdef0123' WHERE id = ANY(%s)", ids[:6])
    change("UPDATE messages SET status = 'undelivered', delivered_at = NULL WHERE id = ANY(%s)", ids[:2])
    fold_all()
    adds_up()
    change("DELETE FROM messages WHERE id = ANY(%s)", ids[:3])
    fold_all()
    adds_up()


class UndoError(Exception):
    """The transaction is to come to nothing."""


def undone(*steps):
    with pytest.raises(UndoError), hot_cursor() as cursor:  # noqa: PT012 - the transaction is what is tested
        for step in steps:
            step(cursor)
        raise UndoError


def test_what_a_transaction_takes_back_was_never_counted(client, stored):
    stored()
    fold_all()
    undone(lambda cursor: cursor.execute("UPDATE messages SET status = 'failed'"))
    undone(
        lambda cursor: cursor.execute("UPDATE messages SET status = 'sending'"),
        lambda cursor: tallies.fold(cursor, timezone.now(), limit=100),
    )
    fold_all()
    adds_up()
    assert [row[3] for row in rows(_TALLIED.format(minutes=60))] == ["queued"]


def test_many_may_fold_at_once(client, stored):
    for _ in range(60):
        stored()
    change("UPDATE messages SET status = 'sending'")
    done = []

    def work():
        try:
            fold_all(limit=2)
            done.append(True)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 4
    fold_all()
    adds_up()


def test_slots_that_are_shown_no_more_go_and_what_comes_late_takes_nothing_from_nothing(client, stored):
    stored()
    fold_all()
    change("UPDATE messages SET status = 'sending'")
    late = timezone.now() + timedelta(days=4)
    with hot_cursor() as cursor:
        assert tallies.fold(cursor, late, limit=100)
    with hot_cursor() as cursor:
        tallies.prune(cursor, late)
    assert rows("SELECT minutes, status, n FROM tallies") == [(60, "sending", 1)]


def test_sums_are_by_what_is_asked_for_in_the_window_alone(client, stored):
    for to in ("+447911123456", "+447911123457", "+12025550100"):
        stored(to=to, mode="live")
    stored(mode="test")
    fold_all()
    now = timezone.now()
    window = Window(since=now - timedelta(hours=1), until=now + timedelta(hours=1), minutes=5)
    with hot_cursor() as cursor:
        assert [(row.country, row.n) for row in tallies.sums(cursor, "message", window, by=("country",))] == [("GB", 2), ("US", 1)]
        past = Window(since=datetime(2020, 1, 1, tzinfo=UTC), until=datetime(2020, 1, 2, tzinfo=UTC), minutes=5)
        assert tallies.sums(cursor, "message", past, by=("country",)) == []
