"""Messages that may not be sent any more once they are claimed: their recipients have opted out meanwhile."""

from collections.abc import Sequence
from typing import Any

import psycopg

from sms_backend.core import metrics
from sms_backend.messages.settle import refund
from sms_backend.messages.suppressions import CODE, listed
from sms_backend.messages.view import COLUMNS

_RETURNED = ", ".join(f"m.{column}" for column in COLUMNS.split(", "))
_REJECT = f"""
UPDATE messages m SET version = m.version + 1, updated_at = now(), next_attempt_at = NULL, error_code = '{CODE}',
    status = CASE WHEN m.resends > 0 THEN 'unknown' WHEN m.failovers > 0 THEN 'undelivered' WHEN m.attempts > 0 THEN 'failed'
        ELSE 'rejected' END,
    refunded_at = CASE WHEN m.resends = 0 AND m.failovers = 0 AND m.charged_day IS NOT NULL THEN coalesce(m.refunded_at, now())
        ELSE m.refunded_at END
WHERE m.id = ANY(%s::uuid[]) AND m.id BETWEEN %s AND %s AND m.status IN ('queued', 'scheduled')
RETURNING {_RETURNED}, now() AS settled_at
"""  # noqa: S608 - constants


def reject_listed(cursor: psycopg.Cursor[Any], claimed: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Of locked messages (`claim.due`) those that may be sent, and the rows (`view.COLUMNS`) of those that end here; charges return."""
    barred = listed(cursor, [(row.client_id, row.sender, row.recipient) for row in claimed])
    if not barred:
        return list(claimed), []
    ids = [claimed[index].id for index in barred]
    rows = cursor.execute(_REJECT, (ids, min(ids), max(ids))).fetchall()
    refund(cursor, rows)
    metrics.opted_out.labels("dispatch").inc(len(rows))
    return [row for index, row in enumerate(claimed) if index not in barred], rows
