from django.db import migrations, models

from sms_backend.messages import schema

_INDEX = "CREATE INDEX parts_by_provider_message ON attempt_parts (provider, provider_message_id) WHERE provider_message_id IS NOT NULL"


class Migration(migrations.Migration):
    dependencies = [("sms_messages", "0050_sweeper_runs")]

    operations = [
        schema.CreatePartitionedModel(
            name="AttemptPart",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "message_id", "number", "part", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("message_id", models.UUIDField()),
                ("number", models.SmallIntegerField()),
                ("part", models.TextField(help_text="The vendor's id of it, or `#2` where they are counted.")),
                ("parts", models.SmallIntegerField(help_text="How many there are.")),
                ("provider", models.CharField(max_length=40)),
                ("provider_message_id", models.TextField(help_text="Where each part has an id of its own.", null=True)),
                ("report", models.CharField(max_length=12, null=True)),
                ("error_code", models.CharField(max_length=40, null=True)),
                ("provider_code", models.TextField(null=True)),
                ("reported_at", models.DateTimeField(null=True)),
            ],
            options={"db_table": "attempt_parts", "ordering": ("message_id", "number", "part")},
        ),
        migrations.RunSQL(_INDEX, "DROP INDEX parts_by_provider_message"),
        migrations.AddField(
            model_name="attempt",
            name="reference",
            field=models.TextField(help_text="What the vendor was given for ours; null: the tracking id.", null=True),
        ),
        migrations.AddField(
            model_name="receipt",
            name="reference",
            field=models.TextField(help_text="Ours, where the vendor sends it back.", null=True),
        ),
    ]
