"""
Reports per part, added up to what they say of the whole: arrived once every part has, not arrived as soon as one has not.

Rows are written under the row lock of their messages (`advance.py`), but for those that name the ids to come (`expect`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from sms_backend.messages.outcome import later
from sms_contract.status import Status

_EXPECT = """
INSERT INTO attempt_parts (message_id, number, part, parts, provider, provider_message_id)
SELECT message_id, number, id, parts, provider, id
FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::int[], %s::text[]) AS x (message_id, number, id, parts, provider)
ORDER BY message_id, number, id
ON CONFLICT (message_id, number, part) DO UPDATE SET parts = excluded.parts
"""
_KNOWN = """
SELECT message_id, number, part, parts, report, error_code, provider_code FROM attempt_parts
WHERE message_id = ANY(%s::uuid[]) AND message_id BETWEEN %s AND %s ORDER BY message_id, number, part
"""
_KEEP = """
INSERT INTO attempt_parts AS p
    (message_id, number, part, parts, provider, provider_message_id, report, error_code, provider_code, reported_at)
SELECT message_id, number, part, parts, provider, id, report, error_code, provider_code, now()
FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
    AS x (message_id, number, part, parts, provider, id, report, error_code, provider_code)
ON CONFLICT (message_id, number, part) DO UPDATE SET report = excluded.report, error_code = excluded.error_code,
    provider_code = excluded.provider_code, reported_at = excluded.reported_at
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Which part of how many a report speaks of."""

    key: str  #: the vendor's id of it, or `#2` where they are counted
    total: int
    own_id: bool  #: whether the key is an id that later reports may name


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """What is known of one part."""

    report: str | None
    error_code: str | None = None
    provider_code: str | None = None


class Parts:
    """The parts of some messages' attempts, what they say together, and what is new of them."""

    def __init__(self, rows: Sequence[Any] = ()) -> None:
        self._known: dict[tuple[UUID, int], dict[str, Heard]] = {}
        self._totals: dict[tuple[UUID, int], int] = {}
        self._new: dict[tuple[UUID, int, str], tuple[Place, str, Heard]] = {}
        for row in rows:
            home = (row.message_id, row.number)
            heard = Heard(report=row.report, error_code=row.error_code, provider_code=row.provider_code)
            self._known.setdefault(home, {})[row.part] = heard
            self._totals[home] = row.parts

    def hear(self, home: tuple[UUID, int], place: Place, *, provider: str, heard: Heard) -> Heard:
        """Add a report on a part of an attempt, (message, number); returns what all its parts say together."""
        known = self._known.setdefault(home, {})
        before = known.get(place.key)
        if heard.report is not None and later(None if before is None else before.report, Status(heard.report)):
            known[place.key] = heard
            self._new[*home, place.key] = (place, provider, heard)
        return added_up(list(known.values()), total=self._totals.setdefault(home, place.total))

    def keep(self, cursor: psycopg.Cursor[Any]) -> None:
        """Write what is new."""
        if self._new:
            found = sorted(self._new.items())
            cursor.execute(
                _KEEP,
                (
                    [key[0] for key, _ in found],
                    [key[1] for key, _ in found],
                    [key[2] for key, _ in found],
                    [place.total for _, (place, _, _) in found],
                    [provider for _, (_, provider, _) in found],
                    [place.key if place.own_id else None for _, (place, _, _) in found],
                    [heard.report for _, (_, _, heard) in found],
                    [heard.error_code for _, (_, _, heard) in found],
                    [heard.provider_code for _, (_, _, heard) in found],
                ),
            )


def added_up(parts: Sequence[Heard], *, total: int) -> Heard:
    """One part that did not arrive says it for all, with its error; `delivered` takes them all."""
    for lost in (Status.UNDELIVERED, Status.EXPIRED):
        for heard in parts:
            if heard.report == lost:
                return heard
    arrived = sum(heard.report == Status.DELIVERED for heard in parts)
    return Heard(report=Status.DELIVERED if arrived >= total else Status.SENT)


def expect(cursor: psycopg.Cursor[Any], ids: Sequence[tuple[UUID, int, str, str, int]]) -> None:
    """Reports will come by these ids: (message, number, provider, the vendor's id of a part, how many parts). May be run again."""
    if ids:
        messages, numbers, providers, names, totals = (list(column) for column in zip(*ids, strict=True))
        cursor.execute(_EXPECT, (messages, numbers, names, totals, providers))


def known(cursor: psycopg.Cursor[Any], ids: Sequence[UUID]) -> Parts:
    """The parts of these messages, sorted by id, that are known by now."""
    return Parts(cursor.execute(_KNOWN, (list(ids), ids[0], ids[-1])).fetchall())
