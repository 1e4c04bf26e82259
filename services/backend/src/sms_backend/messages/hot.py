"""The connection of the hot statements: server-side binding, prepared after a few runs, within Django's transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import psycopg
from django.db import InterfaceError, OperationalError, connection, transaction
from psycopg.rows import namedtuple_row
from psycopg.types.datetime import TimestamptzLoader
from psycopg.types.json import JsonbLoader

#: PostgreSQL's own choice goes by the cost of a plan, of which the cost of making it is hardly a part; here that is most of it: a claim
#: reads four times from each partition. Source: https://www.postgresql.org/docs/15/sql-prepare.html
_PLAN_ONCE = "SET LOCAL plan_cache_mode = force_generic_plan"
#: Source: https://www.postgresql.org/docs/15/wal-async-commit.html
_MAY_BE_LOST = "SET LOCAL synchronous_commit = off"
_decode = msgspec.json.Decoder().decode


class _JsonbLoader(JsonbLoader):
    # Decodes as the standard library does, for a fraction of the time.
    _loads = staticmethod(_decode)


@contextmanager
def hot_cursor(*, plan_once: bool = False, may_be_lost: bool = False) -> Iterator[psycopg.Cursor[Any]]:
    """
    A transaction and a psycopg cursor in it, whose rows are named tuples. Commits on leaving, rolls back on an error.

    `plan_once`: its statements are found by ids and by their place in a queue, whatever the values; no plan is made for those.
    `may_be_lost`: where PostgreSQL crashes within a second it is as if it had not been, and that does no harm; nobody waits for its disk.
    """
    try:
        with transaction.atomic():
            connection.ensure_connection()
            with psycopg.Cursor(connection.connection, row_factory=namedtuple_row) as cursor:
                # Django's connections hand JSON out as text, for its own fields to decode.
                cursor.adapters.register_loader("jsonb", _JsonbLoader)
                # And read times in Python, to put another time zone to them; ours is UTC, and psycopg's own reads it in C.
                cursor.adapters.register_loader("timestamptz", TimestamptzLoader)
                if plan_once:
                    cursor.execute(_PLAN_ONCE)
                if may_be_lost:
                    cursor.execute(_MAY_BE_LOST)
                yield cursor
    except (psycopg.OperationalError, psycopg.InterfaceError, OperationalError, InterfaceError):
        # It may be broken, and Django has not seen it: back to the pool, which looks before it lends it again.
        connection.close()
        raise
