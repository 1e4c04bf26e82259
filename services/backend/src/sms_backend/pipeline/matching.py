"""Whose a report is: found by the URL it came to, by the vendor's id of the message or of a part, or by our reference."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg

from sms_backend.messages.parts import Place
from sms_backend.messages.references import message_of
from sms_backend.pipeline.judge import Heard

_BY_PART = """
SELECT message_id, number, provider, provider_message_id, parts FROM attempt_parts
WHERE (provider, provider_message_id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
"""
_BY_ID = """
SELECT message_id, number, provider, provider_message_id FROM attempts
WHERE (provider, provider_message_id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
"""
#: What may have been given the reference; how many parts are known to be reported, and how many we count ourselves.
_BY_REFERENCE = """
SELECT a.message_id, a.number, a.provider, a.outcome, coalesce(a.reference, a.message_id::text) AS reference, m.segments,
    (SELECT max(p.parts) FROM attempt_parts p WHERE p.message_id = a.message_id AND p.number = a.number) AS parts
FROM attempts a JOIN messages m ON m.id = a.message_id
WHERE a.message_id = ANY(%s::uuid[]) AND a.message_id BETWEEN %s AND %s AND m.id BETWEEN %s AND %s
ORDER BY a.message_id, a.number
"""
#: Whom a reference means where several attempts went out under it.
_LIKELY = {"accepted": 3, "unknown": 2, "started": 1}


def match(cursor: psycopg.Cursor[Any], heard: Sequence[Heard], *, names_parts: Callable[[str], bool]) -> None:
    """
    Give reports their attempts, where these are known yet. Only attempts of the provider account that reports are looked at.

    `names_parts`: accounts where each part has an id of its own. A report of such a one that has nothing but our reference has to wait
    while the ids of a message in parts are still to come: it might be taken for the whole.
    """
    for one in heard:
        part = one.receipt.part
        if part is not None and (part.total or 1) > 1:
            one.part = Place(key=f"#{part.index}", total=part.total or 1, own_id=False)
    homeless = [one for one in heard if one.message_id is None and one.receipt.message_id is not None]
    if homeless:
        _by_id(cursor, homeless)
    homeless = [one for one in heard if one.message_id is None and message_of(one.receipt.reference) is not None]
    if homeless:
        _by_reference(cursor, homeless, names_parts)


def _by_id(cursor: psycopg.Cursor[Any], heard: Sequence[Heard]) -> None:
    names = ([one.provider for one in heard], [one.receipt.message_id for one in heard])
    parts = {(row.provider, row.provider_message_id): row for row in cursor.execute(_BY_PART, names).fetchall()}
    wholes = {(row.provider, row.provider_message_id): row for row in cursor.execute(_BY_ID, names).fetchall()}
    for one in heard:
        name = (one.provider, one.receipt.message_id)
        part, home = parts.get(name), parts.get(name) or wholes.get(name)
        if home is not None:
            one.message_id, one.number = home.message_id, home.number
        if part is not None and one.part is None:
            one.part = Place(key=part.provider_message_id, total=part.parts, own_id=True)


def _by_reference(cursor: psycopg.Cursor[Any], heard: Sequence[Heard], names_parts: Callable[[str], bool]) -> None:
    ids = sorted({message_id for one in heard if (message_id := message_of(one.receipt.reference)) is not None})
    bounds = (ids[0], ids[-1])
    homes: dict[tuple[str, str], Any] = {}
    for row in cursor.execute(_BY_REFERENCE, (ids, *bounds, *bounds)).fetchall():
        name = (row.provider, row.reference)
        if name not in homes or _LIKELY.get(row.outcome, 0) >= _LIKELY.get(homes[name].outcome, 0):
            homes[name] = row
    for one in heard:
        home = homes.get((one.provider, one.receipt.reference or ""))
        if home is None:
            continue
        if one.part is None and names_parts(one.provider) and one.receipt.message_id is not None:
            total = home.parts or (home.segments if home.outcome != "accepted" else 1)
            if total > 1 and home.outcome == "started":
                continue
            if total > 1:
                one.part = Place(key=one.receipt.message_id, total=total, own_id=True)
        one.message_id, one.number = home.message_id, home.number


def addresses(heard: Sequence[Heard]) -> Mapping[UUID, tuple[UUID, int]]:
    """The reports that have an attempt, by their ids."""
    return {one.id: (one.message_id, one.number) for one in heard if one.message_id is not None and one.number is not None}
