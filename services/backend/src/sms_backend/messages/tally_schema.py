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
#: Table to: its key; what a count depends on; what a row counts as.
_TABLES = {
    "messages": ("id", ("status", "provider", "recipient", "error_code", "sent_at", "delivered_at"), "message"),
    "attempts": ("message_id, number", ("outcome", "error_code"), "attempt"),
}
_SAME = {
    "messages": f"{_slot('n.created_at')} AS at, greatest(n.created_at, n.send_at) AS ready, n.mode",
    "attempts": f"{_slot('n.started_at')} AS at, '' AS mode",
}
_EACH = {
    "messages": {
        "provider": "coalesce({row}.provider, '')",
        "country": "smsgw_region({row}.recipient)",
        "status": "{row}.status",
        "code": "coalesce({row}.error_code, '')",
        "sent": "{row}.sent_at",
        "delivered": "{row}.delivered_at",
    },
    # One that is under way is none yet.
    "attempts": {
        "provider": "{row}.provider",
        "country": "''",
        "status": "nullif({row}.outcome, 'started')",
        "code": "coalesce({row}.error_code, '')",
    },
}


_MOMENTS = dict.fromkeys(("sent", "delivered"), "timestamptz")


def _rows(table: str, *, before: str | None, after: str | None) -> str:
    """What counts of each row as it was and as it is; the name of the row, or None where there is none."""
    sides = [
        f"{f'NULL::{_MOMENTS.get(name, "text")}' if row is None else expression.format(row=row)} AS {prefix}_{name}"
        for prefix, row in (("o", before), ("n", after))
        for name, expression in _EACH[table].items()
    ]
    return ", ".join([_SAME[table], *sides])


def _changes(table: str, source: str, *, before: str | None = None, after: str | None = None) -> str:
    """
    Write down what these rows come to.

    Rows that changed alike are one by the time that anything is made of them: this runs in every statement.
    """
    kind = _TABLES[table][2]
    alike = ", ".join(f"{side}_{name}" for side in "on" for name in ("provider", "country", "status", "code"))
    parts = [
        f"""
        SELECT '{kind}', at, mode, x.provider, x.country, x.status, x.code, 0::int2, sum(x.sign * alike.rows)
        FROM (SELECT at, mode, {alike}, count(*) AS rows FROM counted GROUP BY at, mode, {alike}) AS alike,
            LATERAL (VALUES
                (o_provider, o_country, o_status, o_code, -1), (n_provider, n_country, n_status, n_code, 1)
            ) AS x (provider, country, status, code, sign)
        WHERE x.status IS NOT NULL
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 HAVING sum(x.sign * alike.rows) <> 0"""  # noqa: S608 - constants
    ]
    parts += [
        f"""
        SELECT '{name}', {_slot("moment")}, mode, provider, country, '', '', {_BIN}, sum(sign)
        FROM counted, LATERAL (VALUES
            (o_provider, o_country, o_{until}, -1), (n_provider, n_country, n_{until}, 1)
        ) AS x (provider, country, moment, sign)
        WHERE (o_{until}, o_provider, o_country) IS DISTINCT FROM (n_{until}, n_provider, n_country) AND moment IS NOT NULL
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 HAVING sum(sign) <> 0"""  # noqa: S608 - constants
        for name, until in (("taken", "sent"), ("arrived", "delivered"))
        if until in _EACH[table]
    ]
    return f"""
        WITH counted AS MATERIALIZED (SELECT {_rows(table, before=before, after=after)} FROM {source})
        INSERT INTO tally_changes ({_COLUMNS}) {" UNION ALL ".join(parts)}"""  # noqa: S608 - constants


def trigger_sql(table: str) -> list[str]:
    """The function of a table, and the triggers that call it."""
    key, decisive, _ = _TABLES[table]
    differs = " OR ".join(f"n.{name} IS DISTINCT FROM o.{name}" for name in decisive)
    name = f"smsgw_tally_{table}"
    return [
        f"""
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN {_changes(table, "come n", after="n")};
    ELSIF TG_OP = 'DELETE' THEN {_changes(table, "gone n", before="n")};
    ELSE {_changes(table, f"come n JOIN gone o USING ({key}) WHERE {differs}", before="o", after="n")};
    END IF;
    RETURN NULL;
END $$""",
        *(
            f"CREATE TRIGGER tally_{verb} AFTER {verb} ON {table} REFERENCING {known} FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
            for verb, known in (
                ("insert", "NEW TABLE AS come"),
                ("update", "OLD TABLE AS gone NEW TABLE AS come"),
                ("delete", "OLD TABLE AS gone"),
            )
        ),
    ]


def recount_sql(table: str) -> str:
    """Write down all rows that a table has, as if they came now."""
    return _changes(table, f"{table} n", after="n")
