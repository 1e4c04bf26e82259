"""
The partitioned tables, as SQL: Django cannot make them.

Partitions are weeks of UUIDv7 time, named `messages_2026w48`; a default partition takes strays. Attempts carry the message id without a
foreign key and are partitioned alike, receipts and callbacks by their own ids, so that a week goes by dropping tables.
Source: https://www.postgresql.org/docs/15/ddl-partitioning.html
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.migrations import CreateModel

WEEK = timedelta(weeks=1)
#: Weeks made ahead of now.
AHEAD = 4
#: Table to the UUIDv7 column that it is partitioned by.
TABLES = {
    "messages": "id",
    "attempts": "message_id",
    "attempt_parts": "message_id",
    "receipts": "id",
    "callbacks": "id",
    "webhook_deliveries": "id",
    "webhook_tries": "delivery_id",
    "inbound_messages": "id",
}

INDEXES = """
-- What a claim walks: lane, then client, then time.
CREATE INDEX messages_due ON messages (lane, client_id, next_attempt_at) WHERE status IN ('queued', 'scheduled');
CREATE INDEX messages_expiring ON messages (expires_at) WHERE status IN ('queued', 'scheduled');
-- Sends under way, and those whose outcome is being found out.
CREATE INDEX messages_sending ON messages (lease_until, unknown_until) WHERE status = 'sending';
CREATE INDEX messages_unreported ON messages (sent_at) WHERE status = 'sent';
CREATE INDEX messages_by_client ON messages (client_id, id);
CREATE INDEX messages_by_reference ON messages (client_id, reference) WHERE reference IS NOT NULL;
CREATE INDEX messages_by_batch ON messages (batch_id) WHERE batch_id IS NOT NULL;
CREATE INDEX messages_by_recipient ON messages (recipient, id);
CREATE INDEX attempts_by_provider_message ON attempts (provider, provider_message_id) WHERE provider_message_id IS NOT NULL;
"""


class CreatePartitionedModel(CreateModel):
    """`CreateModel` for a table of `TABLES`, with its default partition."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Say how it is partitioned in the one statement that Django builds."""
        table = to_state.apps.get_model(app_label, self.name)._meta.db_table  # noqa: SLF001 - Django's public-in-all-but-name
        usual = schema_editor.sql_create_table
        schema_editor.sql_create_table = f"{usual} PARTITION BY RANGE ({TABLES[table]})"
        try:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        finally:
            schema_editor.sql_create_table = usual
        schema_editor.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")


def week_of(moment: datetime) -> datetime:
    """Monday, 00:00 UTC, of a moment's week."""
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())


def partition_name(table: str, week: datetime) -> str:
    """`messages_2026w48`, by ISO week."""
    year, number, _ = week.isocalendar()
    return f"{table}_{year}w{number:02d}"
