"""
Everybody's messages, for operators: the newest first, by keyset, never counted.

As in `search.py`, what no index knows (a status, a provider, a mode, a lane) is looked for among so many messages at a time; the page may
then be short, or empty, and says from where to go on. Returned are ids alone.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.pseudonyms import pseudonym
from sms_contract.ids import floor

#: Messages that one page looks through for what no index knows.
LOOK_THROUGH = 20_000
_FIRST = floor(0)
_LAST = UUID(int=2**128 - 1)
_LAST_MS = 2**48 - 1


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """Which messages."""

    client_id: str | None = None
    to: str | None = None
    reference: str | None = None
    status: str | None = None
    provider: str | None = None
    mode: str | None = None
    lane: str | None = None
    since: datetime | None = None  #: accepted then or later
    until: datetime | None = None  #: accepted before


@dataclass(frozen=True, kw_only=True)
class Found:
    """Ids of a page, and the one before which the next begins; None: there is nothing further."""

    ids: list[UUID]
    before: UUID | None
    looked_through: bool  #: whether the page ended because it had looked through enough


def page(lookup: Lookup, *, before: UUID | None, limit: int) -> Found:
    """The messages before one, `limit` at most."""
    # A number that is no longer kept is found by what stands for it; its messages are among the others by their ids.
    numbers = [None] if lookup.to is None else [lookup.to, pseudonym(lookup.to)]
    ids: list[UUID] = []
    seen_to: UUID | None = None
    with hot_cursor() as cursor:
        for number in numbers:
            found, last = _found(cursor, lookup, number, before=before, limit=limit)
            ids += found
            seen_to = max(filter(None, (seen_to, last)), default=None)
    ids = sorted((each for each in ids if seen_to is None or each >= seen_to), reverse=True)
    if len(ids) > limit:
        return Found(ids=ids[:limit], before=ids[limit - 1], looked_through=False)
    return Found(ids=ids, before=seen_to, looked_through=seen_to is not None)


def _found(
    cursor: psycopg.Cursor[Any], lookup: Lookup, number: str | None, *, before: UUID | None, limit: int
) -> tuple[list[UUID], UUID | None]:
    """The next ids, one more than a page has, and the last that was looked at where that was not all."""
    lead, filters = _way(lookup)
    first = _FIRST if lookup.since is None else _floor(lookup.since)
    last = _LAST if lookup.until is None else _floor(lookup.until)
    values: dict[str, Any] = {
        **{name: getattr(lookup, name) for name in ("client_id", "reference", "status", "provider", "mode", "lane")},
        "to": number,
        "first": first,
        "before": last if before is None else min(last, before),
    }
    if lead is not None:
        # Each partition's index gives the order already; the planner takes one client's or number's rows for few, and would sort them.
        cursor.execute("SET LOCAL enable_sort = off")
    seen_to = _as_far_as(cursor, lead, values) if filters else None
    if seen_to is not None:
        values["first"] = seen_to
    conditions = " AND ".join([_bounds(lead), *filters])
    statement = f"SELECT id FROM messages WHERE {conditions} ORDER BY {_order(lead)} LIMIT %(limit)s"  # noqa: S608 - parts from here
    # Never prepared: the plan is for these values.
    ids = [row.id for row in cursor.execute(statement, values | {"limit": limit + 1}, prepare=False).fetchall()]
    return ids, ids[-1] if len(ids) > limit else seen_to


def _way(lookup: Lookup) -> tuple[str | None, list[str]]:
    """The column that the index leads with before the id, and what is filtered for beside it."""
    filters = [f"{name} = %({name})s" for name in ("status", "provider", "mode", "lane") if getattr(lookup, name) is not None]
    if lookup.reference is not None:
        # The index leads with the client; of one reference there are few messages.
        whose = "client_id = %(client_id)s" if lookup.client_id else "client_id IN (SELECT id FROM accounts_client)"
        return None, [*filters, "reference = %(reference)s", whose]
    if lookup.to is not None:
        return "recipient", [*filters, *(["client_id = %(client_id)s"] if lookup.client_id else [])]
    return ("client_id" if lookup.client_id else None), filters


def _bounds(lead: str | None) -> str:
    range_of_ids = "id >= %(first)s AND id < %(before)s"
    if lead is None:
        return range_of_ids
    value = "to" if lead == "recipient" else lead
    return f"({lead}, id) >= (%({value})s, %(first)s) AND ({lead}, id) < (%({value})s, %(before)s) AND {range_of_ids}"


def _order(lead: str | None) -> str:
    return "id DESC" if lead is None else f"{lead} DESC, id DESC"


def _as_far_as(cursor: psycopg.Cursor[Any], lead: str | None, values: dict[str, Any]) -> UUID | None:
    """The last message that this page looks at; None: it looks at all that are left."""
    if values["reference"] is not None:
        return None
    statement = f"SELECT id FROM messages WHERE {_bounds(lead)} ORDER BY {_order(lead)} OFFSET %(through)s LIMIT 1"  # noqa: S608 - parts from here
    row = cursor.execute(statement, values | {"through": LOOK_THROUGH - 1}, prepare=False).fetchone()
    if row is None:
        return None
    last: UUID = row.id
    return last


def _floor(moment: datetime) -> UUID:
    return floor(min(_LAST_MS, max(0, int(moment.timestamp() * 1000))))
