"""
A client's messages, the newest first, by keyset: a page begins after the last id of the one before. What arrives meanwhile has a later id.

Left to itself, PostgreSQL may walk back through everybody's messages, hoping to meet enough of this client's soon. So a search that is
not narrow says by which index it goes: it orders by the whole of it, and bounds rows of it. Ids are UUIDv7, so the moment a message was
accepted is a bound on its id too, and no partition is read that cannot hold it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.pseudonyms import pseudonym
from sms_backend.messages.view import COLUMNS, message_view
from sms_contract import message
from sms_contract.ids import created_ms, floor

#: A page that looks for what no index knows (a status, a provider) looks through this many messages at most, and may then be short.
LOOK_THROUGH = 20_000
#: A batch and its messages get their ids in one moment; this much is room for clocks, in milliseconds.
_BATCH_SPAN_MS = 3_600_000
_LAST_MS = 2**48 - 1
_LAST = UUID(int=2**128 - 1)

_BY_ID = "id DESC"
_ALIASES = "SELECT alias, message_id FROM aliases WHERE message_id = ANY(%s::uuid[]) ORDER BY alias"


@dataclass(frozen=True, kw_only=True)
class Search:
    """Whose messages, and which."""

    client_id: str
    status: str | None = None
    to: str | None = None
    reference: str | None = None
    batch_id: UUID | None = None
    provider: str | None = None
    since: datetime | None = None  #: accepted then or later
    until: datetime | None = None  #: accepted before


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some messages, and the id after which the next page begins; None: there is none."""

    messages: list[message.Message]
    last: UUID | None


@dataclass(frozen=True, kw_only=True)
class _Way:
    """How PostgreSQL is to find them."""

    bounds: str
    order: str
    filters: list[str]
    bounded: bool  #: whether few are met before enough are found


def page(search: Search, *, after: UUID | None, limit: int) -> Page:
    """The messages after one, `limit` at most; fewer do not mean that there are no more."""
    way = _way(search)
    values: dict[str, Any] = {
        "client": search.client_id,
        "status": search.status,
        "reference": search.reference,
        "batch": search.batch_id,
        "provider": search.provider,
        **_range(search, after),
    }
    # A number that is no longer kept is found by what stands for it; its messages are among the others by their ids.
    numbers = [None] if search.to is None else [search.to, pseudonym(search.to)]
    rows: list[Any] = []
    seen_to: UUID | None = None
    with hot_cursor() as cursor:
        if way.order != _BY_ID:
            # Each partition's index gives the order already; the planner takes a client's rows for few, and would read all of them to sort.
            cursor.execute("SET LOCAL enable_sort = off")
        for number in numbers:
            found, last = _found(cursor, way, values | {"recipient": number}, limit)
            rows += found
            seen_to = max(filter(None, (seen_to, last)), default=None)
        if len(numbers) > 1:
            rows = sorted((row for row in rows if seen_to is None or row.id >= seen_to), key=lambda row: row.id, reverse=True)
        if len(rows) > limit:
            rows = rows[:limit]
            seen_to = rows[-1].id
        aliases: dict[UUID, list[UUID]] = {}
        for alias in cursor.execute(_ALIASES, ([row.id for row in rows],)).fetchall():
            aliases.setdefault(alias.message_id, []).append(alias.alias)
    return Page(messages=[message_view(row, aliases.get(row.id)) for row in rows], last=seen_to)


def _found(cursor: psycopg.Cursor[Any], way: _Way, values: dict[str, Any], limit: int) -> tuple[list[Any], UUID | None]:
    """The next rows, and the last that was looked at where that was not all."""
    seen_to = None if way.bounded else _as_far_as(cursor, way, values)
    if seen_to is not None:
        values["first"] = seen_to
    where = " AND ".join([way.bounds, *way.filters])
    statement = f"SELECT {COLUMNS} FROM messages WHERE {where} ORDER BY {way.order} LIMIT %(limit)s"  # noqa: S608 - parts from here
    # Never prepared: the plan is for these values.
    rows = cursor.execute(statement, values | {"limit": limit + 1}, prepare=False).fetchall()
    if len(rows) > limit:
        rows.pop()
        seen_to = rows[-1].id
    return rows, seen_to


def _way(search: Search) -> _Way:
    filters = [
        condition
        for condition, wanted in (
            ("status = %(status)s", search.status),
            ("provider = %(provider)s", search.provider),
            ("recipient = %(recipient)s", search.to),
            ("reference = %(reference)s", search.reference),
            ("batch_id = %(batch)s", search.batch_id),
        )
        if wanted is not None
    ]
    if search.batch_id is not None or search.reference is not None:
        bounds = "client_id = %(client)s AND id >= %(first)s AND id < %(before)s"
        return _Way(bounds=bounds, order=_BY_ID, filters=filters, bounded=True)
    lead, value = ("client_id", "client") if search.to is None else ("recipient", "recipient")
    bounds = (
        f"({lead}, id) >= (%({value})s, %(first)s) AND ({lead}, id) < (%({value})s, %(before)s) AND id >= %(first)s AND id < %(before)s"
    )
    if search.to is not None:
        filters = ["client_id = %(client)s", *(f for f in filters if not f.startswith("recipient"))]
    return _Way(bounds=bounds, order=f"{lead} DESC, id DESC", filters=filters, bounded=not filters)


def _range(search: Search, after: UUID | None) -> dict[str, UUID]:
    first = floor(0) if search.since is None else _floor(search.since)
    before = _LAST if search.until is None else _floor(search.until)
    if search.batch_id is not None:
        moment = created_ms(str(search.batch_id))
        first = max(first, floor(max(0, moment - _BATCH_SPAN_MS)))
        before = min(before, floor(min(_LAST_MS, moment + _BATCH_SPAN_MS)))
    return {"first": first, "before": before if after is None else min(before, after)}


def _as_far_as(cursor: psycopg.Cursor[Any], way: _Way, values: dict[str, Any]) -> UUID | None:
    """The last message that this page looks at; None: it may look at all."""
    statement = f"SELECT id FROM messages WHERE {way.bounds} ORDER BY {way.order} OFFSET %(through)s LIMIT 1"  # noqa: S608 - parts from here
    row = cursor.execute(statement, values | {"through": LOOK_THROUGH - 1}, prepare=False).fetchone()
    if row is None:
        return None
    last: UUID = row.id
    return last


def _floor(moment: datetime) -> UUID:
    return floor(min(_LAST_MS, max(0, int(moment.timestamp() * 1000))))
