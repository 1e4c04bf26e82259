"""
What keeps the tallies: triggers, once a statement, that write down what it has changed.

In the database rather than beside each statement, so that no way of changing a message can be forgotten, and so that a version of the
code that knows nothing of tallies is counted while it runs beside this one. See ADR 0018.
Source: https://www.postgresql.org/docs/15/plpgsql-trigger.html#PLPGSQL-TRIGGER-AUDIT-TRANSITION-EXAMPLE
"""

import json

from sms_contract.phone import calling_prefixes

#: Minutes of a slot as it is written down.
SLOT = 5


def region_function() -> str:
    """`smsgw_region(number)`: what `sms_contract.phone.region` says, by the longest prefix; nothing of what is no number any more."""
    prefixes = json.dumps(calling_prefixes(), sort_keys=True, separators=(",", ":"))
    return f"""
CREATE OR REPLACE FUNCTION smsgw_region(number text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN number LIKE '+%' THEN
        coalesce(p ->> substr(number, 2, 4), p ->> substr(number, 2, 3), p ->> substr(number, 2, 2), p ->> substr(number, 2, 1), '')
    ELSE '' END
    FROM (SELECT '{prefixes}'::jsonb AS p) AS prefixes
$$
"""  # noqa: S608 - a constant


def _slot(moment: str) -> str:
    return f"date_bin('{SLOT} minutes', {moment}, timestamptz '2000-01-01')"


#: Quarters of an octave of milliseconds from `ready` to `moment`.
_BIN = "floor(4 * ln(greatest(1, extract(epoch FROM moment - ready)::float8 * 1000)) / ln(2::float8))::int2"
_COLUMNS = "kind, at, mode, provider, country, status, code, bin, n"
#: No calling prefix is longer, with its plus: numbers that begin alike are of one country.
_PREFIX = 1 + max(len(prefix) for prefix in calling_prefixes())
#: Table to what its rows are counted by: the expressions, in the order of `_COLUMNS`, of which all but the country's are grouped by.
_COUNTED = {
    "messages": ("message", "mode", "coalesce(provider, '')", f"left(recipient, {_PREFIX})", "status", "coalesce(error_code, '')", "true"),
    # One that is under way is none yet.
    "attempts": ("attempt", "''", "provider", "''", "outcome", "coalesce(error_code, '')", "outcome <> 'started'"),
}
_BEGUN = {"messages": "created_at", "attempts": "started_at"}


def _counts(table: str, source: str, sign: str) -> list[str]:
    """How many rows of a source there are of each kind, with this sign; numbers are still prefixes."""
    kind, mode, provider, prefix, status, code, counts = _COUNTED[table]
    counted = [
        f"""
        SELECT '{kind}' AS kind, {_slot(_BEGUN[table])} AS at, {mode} AS mode, {provider} AS provider, {prefix} AS prefix,
            {status} AS status, {code} AS code, 0::int2 AS bin, {sign}count(*) AS n
        FROM {source} WHERE {counts} GROUP BY 2, 3, 4, 5, 6, 7"""  # noqa: S608 - constants
    ]
    if table == "messages":
        counted += [
            f"""
        SELECT '{name}', {_slot("moment")}, mode, coalesce(provider, ''), left(recipient, {_PREFIX}), '', '', {_BIN}, {sign}count(*)
        FROM (SELECT mode, provider, recipient, {until} AS moment, greatest(created_at, send_at) AS ready FROM {source}) AS timed
        WHERE moment IS NOT NULL GROUP BY 2, 3, 4, 5, 8"""  # noqa: S608 - constants
            for name, until in (("taken", "sent_at"), ("arrived", "delivered_at"))
        ]
    return counted


def _changes(table: str, *, gone: str | None = None, come: str | None = None) -> str:
    """
    Write down what these rows come to: those that come, less those that go.

    No row is looked for on the other side: what has not changed takes itself away. And it is by prefixes until few are left: this runs in
    every statement.
    """
    counted = [*(_counts(table, come, "") if come else ()), *(_counts(table, gone, "-") if gone else ())]
    return f"""
        INSERT INTO tally_changes ({_COLUMNS})
        SELECT kind, at, mode, provider, smsgw_region(prefix), status, code, bin, sum(n)
        FROM (
            SELECT kind, at, mode, provider, prefix, status, code, bin, sum(n) AS n FROM ({" UNION ALL ".join(counted)}) AS counted
            GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 HAVING sum(n) <> 0
        ) AS changed
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 HAVING sum(n) <> 0"""  # noqa: S608 - constants


def function_sql(table: str) -> str:
    """The function that the triggers of a table call."""
    return f"""
CREATE OR REPLACE FUNCTION {_name(table)}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN {_changes(table, come="come")};
    ELSIF TG_OP = 'DELETE' THEN {_changes(table, gone="gone")};
    ELSE {_changes(table, come="come", gone="gone")};
    END IF;
    RETURN NULL;
END $$"""


def trigger_sql(table: str) -> list[str]:
    """The function of a table, and the triggers that call it."""
    return [
        function_sql(table),
        *(
            f"CREATE TRIGGER tally_{verb} AFTER {verb} ON {table} REFERENCING {known} FOR EACH STATEMENT EXECUTE FUNCTION {_name(table)}()"
            for verb, known in (
                ("insert", "NEW TABLE AS come"),
                ("update", "OLD TABLE AS gone NEW TABLE AS come"),
                ("delete", "OLD TABLE AS gone"),
            )
        ),
    ]


def recount_sql(table: str) -> str:
    """Write down all rows that a table has, as if they came now."""
    return _changes(table, come=table)


def _name(table: str) -> str:
    return f"smsgw_tally_{table}"
