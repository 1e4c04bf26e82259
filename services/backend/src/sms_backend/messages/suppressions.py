"""
Who wants nothing from whom: the suppression list, per client and sender.

A send to a listed number is not made. It is asked when a message is stored, and again when it is claimed. Of a person who was forgotten
the entry has a pseudonym, and counts as before.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import psycopg

from sms_backend.core import metrics
from sms_backend.messages.arrays import texts
from sms_backend.messages.pseudonyms import pseudonym

CODE = "recipient.opted_out"

#: Whoever sends without a sender may be anybody: then each of the client's counts.
_LISTED = """
SELECT x.n FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) WITH ORDINALITY AS x (client, sender, recipient, pseudonym, n)
WHERE EXISTS (
    SELECT 1 FROM suppressions s
    WHERE s.client_id = x.client AND s.recipient IN (x.recipient, x.pseudonym)
      AND (s.sender = '' OR x.sender IS NULL OR s.sender = x.sender)
)
"""
_ADD = """
INSERT INTO suppressions (client_id, recipient, sender, source, created_at)
SELECT DISTINCT client, recipient, sender, %s, now() FROM unnest(%s::text[], %s::text[], %s::text[]) AS x (client, recipient, sender)
JOIN accounts_client c ON c.id = x.client ORDER BY 1, 2, 3
ON CONFLICT DO NOTHING
"""
_OF_MESSAGES = """
SELECT m.client_id, m.recipient, coalesce(m.sender, '') AS sender FROM messages m
JOIN unnest(%s::uuid[], %s::text[]) AS x (id, provider) ON x.id = m.id
WHERE m.id = ANY(%s::uuid[]) AND m.id BETWEEN %s AND %s AND (
    x.provider IS NULL OR EXISTS (
        SELECT 1 FROM attempts a WHERE a.message_id = m.id AND a.provider = x.provider AND a.message_id BETWEEN %s AND %s
    )
)
"""
#: An entry for all senders that a person or a provider made goes too; one of an operator's does not.
_REMOVE = """
DELETE FROM suppressions WHERE client_id = %s AND recipient = ANY(%s)
  AND (sender = %s OR (sender = '' AND source IN ('inbound', 'provider')))
"""


def listed(cursor: psycopg.Cursor[Any], sends: Sequence[tuple[str, str | None, str]]) -> set[int]:
    """Which of (client, sender, recipient) may not be sent, by their index."""
    if not sends:
        return set()
    recipients = [recipient for _, _, recipient in sends]
    columns = ([client for client, _, _ in sends], [sender for _, sender, _ in sends], recipients, [pseudonym(one) for one in recipients])
    rows = cursor.execute(_LISTED, [texts(column) for column in columns]).fetchall()
    return {row.n - 1 for row in rows}


def add(cursor: psycopg.Cursor[Any], entries: Iterable[tuple[str, str, str]], *, source: str) -> int:
    """List (client, number, sender), no sender meaning all; returns how many were not there yet."""
    found = list(entries)
    if not found:
        return 0
    cursor.execute(_ADD, (source, [c for c, _, _ in found], [r for _, r, _ in found], [s for _, _, s in found]))
    metrics.opt_outs.labels("added", source).inc(cursor.rowcount)
    return cursor.rowcount


def add_recipients(cursor: psycopg.Cursor[Any], messages: Sequence[tuple[UUID, str | None]]) -> int:
    """
    A provider says of messages that their recipients have opted out.

    Where it is named, it counts for messages alone that it has been given: what it reports names them, not we.
    """
    if not messages:
        return 0
    ids = [message_id for message_id, _ in messages]
    bounds = (min(ids), max(ids))
    rows = cursor.execute(_OF_MESSAGES, (ids, [provider for _, provider in messages], ids, *bounds, *bounds)).fetchall()
    return add(cursor, [(row.client_id, row.recipient, row.sender) for row in rows], source="provider")


def remove(cursor: psycopg.Cursor[Any], *, client_id: str, recipient: str, sender: str) -> int:
    """A person wants messages from this sender again; returns how many entries went."""
    count = cursor.execute(_REMOVE, (client_id, [recipient, pseudonym(recipient)], sender)).rowcount
    metrics.opt_outs.labels("removed", "inbound").inc(count)
    return count


def remove_entry(cursor: psycopg.Cursor[Any], *, client_id: str, recipient: str, sender: str | None) -> int:
    """An operator takes one entry off, whoever made it, or all of a number's; returns how many went."""
    count = cursor.execute(
        "DELETE FROM suppressions WHERE client_id = %s AND recipient = ANY(%s) AND (%s::text IS NULL OR sender = %s)",
        (client_id, [recipient, pseudonym(recipient)], sender, sender),
    ).rowcount
    metrics.opt_outs.labels("removed", "operator").inc(count)
    return count


def entries(cursor: psycopg.Cursor[Any], client_id: str | None, *, after: Sequence[str], limit: int) -> list[Any]:
    """Listed numbers after a (client, number, sender), in the order of these."""
    whose = "" if client_id is None else " AND s.client_id = %s"
    return cursor.execute(
        f"""
        SELECT c.name AS client, s.client_id, s.recipient, s.sender, s.source, s.created_at
        FROM suppressions s JOIN accounts_client c ON c.id = s.client_id
        WHERE (s.client_id, s.recipient, s.sender) > (%s, %s, %s){whose}
        ORDER BY s.client_id, s.recipient, s.sender LIMIT %s
        """,  # noqa: S608 - one of two constants
        (*after, *([] if client_id is None else [client_id]), limit),
    ).fetchall()
