"""Weeks that pass while a soak goes on: one ahead is not there yet, one is past its retention. Both are looked for at its end."""

from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg import sql

from chaos.system import System
from sms_backend.messages.schema import AHEAD, TABLES, WEEK, partition_name, week_of
from sms_contract.ids import floor
from sms_stack.services.postgresql import ROLE

#: Older than any retention that a test has.
_OLD = 60
#: Seconds within which each is seen to: by the minute, and by the quarter of an hour.
_MADE, _DROPPED = 150.0, 1100.0


@dataclass(frozen=True, kw_only=True)
class Weeks:
    """What is to come, and what is to go, by name."""

    ahead: tuple[str, ...]
    aged: tuple[str, ...]


def roll(system: System) -> Weeks:
    """Take the last week ahead away, and add one that is long over, of every table."""
    this = week_of(datetime.now(UTC))
    last, old = this + AHEAD * WEEK, this - _OLD * WEEK
    bounds = [sql.Literal(str(floor(int(moment.timestamp() * 1000)))) for moment in (old, old + WEEK)]
    make = sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})")
    ahead, aged = (tuple(partition_name(table, week) for table in TABLES) for week in (last, old))
    with system.sql() as connection:
        # As the backend makes its own: it may drop none of the superuser's.
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(ROLE)))
        for table, going, past in zip(TABLES, ahead, aged, strict=True):
            connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(going)))
            connection.execute(make.format(sql.Identifier(past), sql.Identifier(table), *bounds))
    return Weeks(ahead=ahead, aged=aged)


def complaints(system: System, weeks: Weeks, *, seconds: float) -> list[str]:
    """What should have been made or dropped within so many seconds, and has not been."""
    with system.sql() as connection:
        names = [*weeks.ahead, *weeks.aged]
        there = {row.relname for row in connection.execute("SELECT relname FROM pg_class WHERE relname = ANY(%s)", [names]).fetchall()}
    missing = sorted(set(weeks.ahead) - there) if seconds > _MADE else []
    left = sorted(set(weeks.aged) & there) if seconds > _DROPPED else []
    return [f"{name} has not been made" for name in missing] + [f"{name} is past its retention, and still there" for name in left]
