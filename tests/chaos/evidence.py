"""Reading what the account is made of: PostgreSQL's rows, the simulators' ledger, the counters in Redis."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chaos.account import Account, Charge, Rules, Stored, Taken, settle
from chaos.stage import Stage
from chaos.workload import Customer
from sms_contract import keyspace
from sms_providers.references import whole_number

_ROWS = """
SELECT m.id::text, m.client_id, m.text, m.status, m.on_unknown, m.resends,
    CASE WHEN m.refunded_at IS NULL THEN m.charged_segments ELSE 0 END AS charged,
    coalesce(a.numbers, '{}') AS numbers, coalesce(a.refs, '{}') AS refs, coalesce(a.whys, '{}') AS whys, coalesce(a.starts, '{}') AS starts
FROM messages m LEFT JOIN LATERAL (
    SELECT array_agg(number ORDER BY number) AS numbers, array_agg(coalesce(reference, message_id::text) ORDER BY number) AS refs,
        array_agg(CASE WHEN outcome = 'unknown' OR error_code = 'provider.unknown_outcome' THEN coalesce(error_detail, 'no clear answer')
                  END ORDER BY number) AS whys,
        array_agg(extract(epoch FROM started_at)::float8 ORDER BY number) AS starts
    FROM attempts WHERE message_id = m.id
) a ON true
WHERE m.client_id = ANY(%s) AND m.text LIKE %s
"""
_CHARGED = """
SELECT client_id, sum(charged_segments) FILTER (WHERE refunded_at IS NULL) AS due FROM messages WHERE client_id = ANY(%s) GROUP BY client_id
"""
_USED = "SELECT client_id, sum(used) AS used, array_agg(to_char(day, 'YYYYMMDD')) AS days FROM quota_usage WHERE client_id = ANY(%s) GROUP BY client_id"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is there now."""

    stored: list[Stored]
    taken: list[Taken]
    aliases: Mapping[str, str]
    charges: list[Charge]
    all_charged: Mapping[str, int]

    def account(self, stage: Stage, rules: Rules) -> Account:
        return settle(
            attempted=stage.load.attempted(),
            stored=self.stored,
            taken=self.taken,
            aliases=self.aliases,
            charges=self.charges,
            all_charged=self.all_charged,
            answers=stage.load.wrong,
            rules=rules,
        )


def read(stage: Stage, customers: Sequence[Customer]) -> Evidence:
    """The whole; asks each of them once."""
    ids = [customer.id for customer in customers]
    # First: what is taken afterwards must not seem to be missing in PostgreSQL.
    ledger = stage.ledger()
    with stage.system.sql() as sql:
        rows = sql.execute(_ROWS, [ids, f"{stage.load.run} %"]).fetchall()
        aliases = {
            str(row.alias): str(row.message_id)
            for row in sql.execute("SELECT alias, message_id FROM aliases WHERE client_id = ANY(%s)", [ids]).fetchall()
        }
        due = {row.client_id: int(row.due or 0) for row in sql.execute(_CHARGED, [ids]).fetchall()}
        used = {row.client_id: row for row in sql.execute(_USED, [ids]).fetchall()}
    # Who calls us back at an address of the message's own has the attempt in it; who is asked has our reference, as a number.
    named = {str(whole_number(ref)): number for row in rows for number, ref in zip(row.numbers, row.refs, strict=True)}
    taken = [
        Taken(text=entry["body"], attempt=int(entry.get("attempt") or named.get(entry.get("reference"), 0)), at=entry["accepted_at"])
        for entry in ledger
    ]
    charges = []
    for client in ids:
        days = used[client].days if client in used else []
        counters = [int(stage.system.redis.get(keyspace.quota(client, day)) or 0) for day in days]  # type: ignore[arg-type]
        pending = int(stage.system.redis.zcard(keyspace.pending(client)))  # type: ignore[arg-type]
        charges.append(Charge(client=client, counter=sum(counters), usage=int(used[client].used) if client in used else 0, pending=pending))
    shown = _shown(stage, [(row.client_id, row.id) for row in rows])
    stored = [
        Stored(
            id=row.id,
            client=row.client_id,
            text=row.text,
            status=row.status,
            on_unknown=row.on_unknown,
            resends=row.resends,
            charged=row.charged,
            shown=shown[row.id],
            unknown_attempts={number: why for number, why in zip(row.numbers, row.whys, strict=True) if why},
            leases={number: start + stage.system.lease for number, start in zip(row.numbers, row.starts, strict=True)},
        )
        for row in rows
    ]
    return Evidence(stored=stored, taken=taken, aliases=aliases, charges=charges, all_charged=due)


def _shown(stage: Stage, messages: Sequence[tuple[str, str]]) -> dict[str, str | None]:
    """What clients are shown of each: the status in the read model."""
    values: list[bytes | None] = stage.system.redis.mget([keyspace.status(*one) for one in messages]) if messages else []  # type: ignore[assignment]
    return {
        tracking_id: None if value is None else json.loads(value.split(b"|", 2)[2])["status"]
        for (_, tracking_id), value in zip(messages, values, strict=True)
    }
