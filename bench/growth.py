"""
`./smsgw bench growth`: what a message costs while the tables hold none, a million, five million others.

Between the measurements the tables are filled, in the database itself, with copies of one message that went the whole way: as many rows of
`messages`, `attempts` and `idempotency_keys`, with ids of the last six days, all of one client. They stay there until the instance is
removed: use one that is for this alone (`SMSGW_HOME=/somewhere ./smsgw bench growth`).
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import sql

from bench import operator, pipeline, stage
from bench.errors import Unprepared
from sms_stack.calls import call
from sms_stack.home import Home
from sms_stack.instance import Instance
from sms_stack.progress import say, step
from sms_stack.services import postgresql

SIZES = (0, 1_000_000, 5_000_000)
_CHUNK = 250_000
_DAYS = 6
_PAGES = 20
#: What a statement does for a message, by words of it.
STATEMENTS = {
    "store": "INSERT INTO messages (",
    "key": "INSERT INTO idempotency_keys",
    "claim": "WITH RECURSIVE clients",
    "mark": "UPDATE messages m SET status = $%attempts = m.attempts",
    "attempt": "INSERT INTO attempts",
    "finish": "UPDATE attempts a SET outcome",
    "settle": "UPDATE messages m SET% status = x.status",
}
#: A UUIDv7 of a moment of the last days; `n` makes it another one each time.
_IDS = """
CREATE TEMPORARY TABLE filling ON COMMIT DROP AS
SELECT n, (lpad(to_hex((extract(epoch FROM now()) * 1000 - random() * %s)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3)
       || '8' || substr(md5(n::text || 'rest'), 1, 15))::uuid AS id
FROM generate_series(%s::bigint, %s::bigint) AS n ORDER BY id
"""
#: Which columns of a copy are its own.
_OWN = {
    "messages": {"id": "f.id", "recipient": "'+4479' || lpad((f.n %% 100000000)::text, 8, '0')", "status": "'delivered'"},
    "attempts": {"message_id": "f.id", "provider_message_id": "'SM' || replace(f.id::text, '-', '')"},
    "idempotency_keys": {"message_id": "f.id", "digest": "md5(f.n::text)"},
}
_BY = {"messages": "id", "attempts": "message_id", "idempotency_keys": "message_id"}


def main() -> int:
    """Measure, fill, measure."""
    parser = argparse.ArgumentParser(prog="./smsgw bench growth", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--messages", type=int, default=6_000, metavar="N", help="sent at each size; default: 6000")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), metavar="N", help="rows; default: 0 1000000 5000000")
    arguments = parser.parse_args()
    return stage.perform(lambda: run(messages=arguments.messages, sizes=arguments.sizes), show, as_json=arguments.json)


def run(*, messages: int, sizes: list[int]) -> dict[str, Any]:
    """The whole benchmark, as a document."""
    instance = Instance.load(Home.from_environment())
    url = instance.postgresql.url
    if url != stage.given().get("DATABASE_URL"):
        raise Unprepared("This fills tables and reads PostgreSQL's statistics as its superuser: it needs the stack's own, private one.")
    rounds: list[dict[str, Any]] = []
    template: str | None = None
    filled = 0
    for size in sizes:
        if template is not None:
            with step(f"Filling the tables up to {size:,} messages"):
                filled = fill(instance, template, filled, size)
        with _superuser(instance) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
            connection.execute("SELECT pg_stat_statements_reset()")
        told = pipeline.run(messages=messages, connections=64)
        with psycopg.connect(url) as connection:
            template = str(connection.execute("SELECT max(id::text) FROM messages WHERE status = 'sent'").fetchone()[0])  # type: ignore[index]
        rounds.append(_round(size, told, statements(instance, told["settled"]), history(instance)))
        say(f"After {size:,}: {json.dumps(rounds[-1])}")  # what is known is not lost with what comes after it
    return {"rounds": rounds, "machine": told["machine"], "problems": [problem for one in rounds for problem in one["problems"]]}


def fill(instance: Instance, template: str, first: int, last: int) -> int:
    """
    Copies of one message, from the n-th on; returns how many there are then.

    In the order of their ids, and without triggers: what keeps the tallies has nothing to say about messages that nobody sent.
    """
    with _superuser(instance) as connection:
        connection.execute("SET session_replication_role = replica")
        for start in range(first, last, _CHUNK):
            with connection.transaction():
                end = min(start + _CHUNK, last)
                connection.execute(_IDS, (_DAYS * 24 * 3600 * 1000, start + 1, end))
                for table, own in _OWN.items():
                    _copy(connection, table, own, template)
            say(f"{end:,} messages")
        for table in _OWN:
            connection.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier(table)))
        connection.execute("CHECKPOINT")
    return last


def statements(instance: Instance, settled: int) -> dict[str, float]:
    """Microseconds that PostgreSQL spent on each statement, a message."""
    with _superuser(instance) as connection:
        return {
            name: round(
                float(
                    connection.execute(
                        "SELECT coalesce(sum(total_exec_time), 0) FROM pg_stat_statements WHERE ltrim(query, E'\\n ') LIKE %s",
                        (words.replace("_", r"\_") + "%",),
                    ).fetchone()[0]  # type: ignore[index]
                )
                * 1000
                / max(1, settled),
                1,
            )
            for name, words in STATEMENTS.items()
        }


def history(instance: Instance) -> float:
    """Milliseconds for a page of a client's newest messages: the median of some."""
    operator.manage("client", "resume", operator.CLIENT)
    key = operator.manage("key", "add", operator.CLIENT)
    try:
        return round(statistics.median(_page(instance.web_url, key["key"]) for _ in range(_PAGES)) * 1000, 1)
    finally:
        operator.manage("key", "revoke", key["key_id"])
        operator.manage("client", "suspend", operator.CLIENT)


def show(told: dict[str, Any]) -> None:
    """For people."""
    names = list(STATEMENTS)
    print(f"\n{'messages':>12}{'PostgreSQL':>12}{'all':>8}{'history':>10}" + "".join(f"{name:>9}" for name in names))
    print(f"{'before':>12}{'CPU µs':>12}{'CPU µs':>8}{'ms':>10}" + "".join(f"{'µs':>9}" for _ in names))
    for one in told["rounds"]:
        line = f"{one['rows']:>12,}{one['postgresql_cpu_us']:>12.0f}{one['cpu_us']:>8.0f}{one['history_ms']:>10.1f}"
        print(line + "".join(f"{one['statements_us'][name]:>9.1f}" for name in names))


def _round(rows: int, told: dict[str, Any], by_statement: dict[str, float], page_ms: float) -> dict[str, Any]:
    cpu = {one["name"]: one["cpu_microseconds_per_message"] for one in (*told["processes"], *told["apart"])}
    return {
        "rows": rows,
        "messages_per_second": told["messages_per_second"],
        "postgresql_cpu_us": cpu["postgresql"],
        "cpu_us": round(sum(cpu.values()), 1),
        "statements_us": by_statement,
        "history_ms": page_ms,
        "problems": told["problems"],
    }


def _copy(connection: psycopg.Connection[Any], table: str, own: Mapping[str, str], template: str) -> None:
    columns = [
        name
        for (name,) in connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s", (table,)
        )
    ]
    values = sql.SQL(", ").join(sql.SQL(own[name]) if name in own else sql.SQL("t.{}").format(sql.Identifier(name)) for name in columns)
    statement = sql.SQL("INSERT INTO {table} ({columns}) SELECT {values} FROM filling f, {table} t WHERE t.{by} = %s").format(
        table=sql.Identifier(table),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        values=values,
        by=sql.Identifier(_BY[table]),
    )
    connection.execute(statement, (template,))


def _superuser(instance: Instance) -> psycopg.Connection[Any]:
    return psycopg.connect(instance.postgresql.superuser_url.rpartition("/")[0] + f"/{postgresql.DATABASE}", autocommit=True)


def _page(url: str, key: str) -> float:
    began = time.perf_counter()
    answer = call(f"{url}/v1/history/messages?limit=50", headers={"API-Key": key}, timeout=30)
    if answer.status != 200:
        raise Unprepared(f"The history does not answer: {answer.status} {answer.text[:200]}")
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
