from django.db import migrations, models
import django.db.models.deletion

#: Messages that were asked back during an attempt that came to nothing.
_INDEX = """
CREATE INDEX messages_stopped ON messages (id) WHERE cancel_requested_at IS NOT NULL AND status IN ('queued', 'scheduled')
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("sms_messages", "0020_webhooks"),
    ]
    operations = [
        migrations.CreateModel(
            name="CancelRequest",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "target", "batch", "client_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("target", models.UUIDField(help_text="A tracking id, an alias, or the id of a batch.")),
                ("batch", models.BooleanField()),
                ("requested_at", models.DateTimeField()),
                ("stored_at", models.DateTimeField(db_index=True)),
                (
                    "client",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="accounts.client",
                    ),
                ),
            ],
            options={"db_table": "cancel_requests"},
        ),
        migrations.RunSQL(_INDEX, "DROP INDEX messages_stopped"),
    ]
