"""
Our reference of an attempt, for its vendor: the tracking id, and for later attempts their number after it.

It stays the same only where that protects from duplicates: at a provider that recognises what it has already, after an answer that never
came. After a clear no it is another, because some vendors burn what they have refused, and a report shall name one attempt.
"""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import psycopg

from sms_contract.ids import is_tracking_id

#: Characters of a tracking id.
_LENGTH = 36

_UNANSWERED = """
SELECT DISTINCT ON (a.message_id) a.message_id, coalesce(a.reference, a.message_id::text) AS reference
FROM attempts a JOIN unnest(%s::uuid[], %s::text[]) AS x (id, provider) ON a.message_id = x.id AND a.provider = x.provider
WHERE a.outcome IN ('started', 'unknown') AND a.message_id = ANY(%s::uuid[]) AND a.message_id BETWEEN %s AND %s
ORDER BY a.message_id, a.number DESC
"""


def references(
    cursor: psycopg.Cursor[Any], attempts: Sequence[tuple[UUID, int, str]], *, deduplicates: Callable[[str], bool]
) -> dict[UUID, str]:
    """The reference of each attempt (message, number, provider) that is about to be made, by its message."""
    made = {message_id: str(message_id) if number == 1 else f"{message_id}.{number}" for message_id, number, _ in attempts}
    again = sorted((message_id, provider) for message_id, number, provider in attempts if number > 1 and deduplicates(provider))
    if again:
        ids = [message_id for message_id, _ in again]
        rows = cursor.execute(_UNANSWERED, (ids, [provider for _, provider in again], ids, ids[0], ids[-1])).fetchall()
        made |= {row.message_id: row.reference for row in rows}
    return made


def message_of(reference: str | None) -> UUID | None:
    """The message that a reference of ours names; None: it is none of ours."""
    tracking_id, number = (reference or "")[:_LENGTH], (reference or "")[_LENGTH:]
    if not is_tracking_id(tracking_id):
        return None
    ours = number == "" or (number[0] == "." and number[1:].isascii() and number[1:].isdigit() and len(number) < 7)
    return UUID(tracking_id) if ours else None
