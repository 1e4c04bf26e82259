"""Advisory locks of PostgreSQL: who may do what only one may do at a time, across processes and machines."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection, transaction

#: Held by whoever copies accounts and providers to Redis, so that the last to write has read the latest.
PROJECTION = "smsgw.projection"
#: Held by the one who rebuilds Redis.
REBUILD = "smsgw.rebuild"
#: Held by whoever judges callbacks, so that what is said of one message is heard in the order in which it came.
CALLBACKS = "smsgw.callbacks"


@contextmanager
def exclusive(name: str) -> Iterator[None]:
    """A transaction that waits for the lock and holds it; `lock_timeout` bounds the wait."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (name,))
        yield


def only_one(cursor: psycopg.Cursor[Any], name: str) -> bool:
    """Whether the cursor's transaction has the lock, until it ends; it waits for nobody."""
    return bool(cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext(%s))", (name,)).fetchall()[0][0])


@contextmanager
def alone(name: str) -> Iterator[bool]:
    """Whether this is the only one; no transaction is open meanwhile. A lost connection gives the lock away."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s))", (name,))
        (mine,) = cursor.fetchone()
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtext(%s))", (name,))
