"""What waits for a provider, by lane: counted up to a limit, and how late the oldest is."""

from dataclasses import dataclass

from django.db import connection

from sms_contract.status import TrafficType

_LANES = """
SELECT lane.name,
    (SELECT count(*) FROM (
        SELECT 1 FROM messages WHERE lane = lane.name AND status IN ('queued', 'scheduled') LIMIT %s
    ) t),
    (SELECT extract(epoch FROM now() - min(head.next_attempt_at)) FROM accounts_client c, LATERAL (
        SELECT next_attempt_at FROM messages m
        WHERE m.lane = lane.name AND m.client_id = c.id AND m.status IN ('queued', 'scheduled')
        ORDER BY next_attempt_at LIMIT 1
    ) head WHERE NOT c.suspended)
FROM unnest(%s::text[]) AS lane (name)
"""


@dataclass(frozen=True, kw_only=True)
class Lane:
    """One lane, now."""

    name: str
    waiting: int  #: as many as the limit, or more
    oldest: float  #: seconds since the oldest was due, suspended clients left out


def lanes(most: int) -> list[Lane]:
    """Every lane, counted up to `most`. Raises `django.db.Error`."""
    with connection.cursor() as cursor:
        cursor.execute(_LANES, (most, [lane.value for lane in TrafficType]))
        return [Lane(name=name, waiting=count, oldest=max(0.0, float(seconds or 0))) for name, count, seconds in cursor.fetchall()]
