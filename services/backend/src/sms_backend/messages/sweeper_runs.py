"""When each sweeper last came to its end, and how far those have got that walk through a table."""

from uuid import UUID

from sms_backend.messages.hot import hot_cursor

#: Every sweeper, and how often it runs while all is well (seconds). A name is also a label of its gauges.
SWEEPERS = {
    **dict.fromkeys(("due", "projection", "read_model"), 1),
    **dict.fromkeys(("leases", "unknowns", "validity", "cancels", "orphans", "inquiries"), 2),
    "tallies": 5,
    **dict.fromkeys(("partitions", "reservations", "inbound_parts", "cancel_requests", "unreported", "key_hashes", "balances"), 60),
    **dict.fromkeys(("retention", "leftovers", "console"), 900),
    "personal_data": 3 * 3600,
}

_NOTE = """
INSERT INTO sweeper_runs AS r (name, succeeded_at, seconds) VALUES (%s, now(), %s)
ON CONFLICT (name) DO UPDATE SET succeeded_at = greatest(r.succeeded_at, excluded.succeeded_at), seconds = excluded.seconds
"""
_REACH = """
INSERT INTO sweeper_runs (name, reached) VALUES (%s, %s)
ON CONFLICT (name) DO UPDATE SET reached = excluded.reached
"""


def note(name: str, seconds: float) -> None:
    """It has just come to its end."""
    with hot_cursor() as cursor:
        cursor.execute(_NOTE, (name, seconds))


def reached(name: str) -> UUID | None:
    """How far it has got; None: nowhere yet."""
    with hot_cursor() as cursor:
        row = cursor.execute("SELECT reached FROM sweeper_runs WHERE name = %s", (name,)).fetchone()
    found: UUID | None = None if row is None else row.reached
    return found


def reach(name: str, place: UUID) -> None:
    """It has got so far."""
    with hot_cursor() as cursor:
        cursor.execute(_REACH, (name, place))


def is_due(name: str) -> bool:
    """Whether its last success is as long ago as it may be, less a tenth."""
    with hot_cursor() as cursor:
        row = cursor.execute(
            "SELECT succeeded_at > now() - make_interval(secs => %s) AS fresh FROM sweeper_runs WHERE name = %s",
            (SWEEPERS[name] * 0.9, name),
        ).fetchone()
    return row is None or not row.fresh
