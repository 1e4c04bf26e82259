"""The time by PostgreSQL, which all processes share: what one has written down another judges, and their own clocks may be hours apart."""

from datetime import datetime

from django.db import connection


def shared_now() -> datetime:
    """Ask PostgreSQL. Raises `django.db.Error`."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
    now: datetime = row[0]
    return now
