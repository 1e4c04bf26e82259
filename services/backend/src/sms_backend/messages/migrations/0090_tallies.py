from typing import Any

from django.db import migrations, models

from sms_backend.messages import tally_schema


def _counted() -> list[tuple[str, Any]]:
    return [
        (
            "kind",
            models.CharField(help_text="`message`, `attempt`, or the times until a message was `taken` or had `arrived`.", max_length=8),
        ),
        ("at", models.DateTimeField(help_text="The beginning of its time slot.")),
        ("mode", models.CharField(max_length=4, default="", db_default="")),
        ("provider", models.CharField(max_length=40, default="", db_default="")),
        ("country", models.CharField(help_text="ISO 3166, by number.", max_length=3, default="", db_default="")),
        ("status", models.CharField(help_text="Of a message; of an attempt, its outcome.", max_length=32, default="", db_default="")),
        ("code", models.CharField(help_text="Error code.", max_length=40, default="", db_default="")),
        ("bin", models.SmallIntegerField(db_default=0, default=0, help_text="Of a time: a quarter of an octave of milliseconds.")),
    ]


class Migration(migrations.Migration):
    """In one transaction: what is there is counted, and nothing comes between that and the triggers."""

    dependencies = [("sms_messages", "0080_resends")]
    operations = [
        migrations.CreateModel(
            name="TallyChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                *_counted(),
                ("n", models.IntegerField(help_text="How many more there are, or fewer.")),
            ],
            options={"db_table": "tally_changes"},
        ),
        migrations.CreateModel(
            name="Tally",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "minutes",
                        "kind",
                        "at",
                        "mode",
                        "provider",
                        "country",
                        "status",
                        "code",
                        "bin",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                *_counted(),
                ("minutes", models.SmallIntegerField(help_text="How long its slot is: 5 or 60.")),
                ("n", models.BigIntegerField()),
            ],
            options={"db_table": "tallies"},
        ),
        migrations.RunSQL("SET LOCAL statement_timeout = 0", migrations.RunSQL.noop),
        migrations.RunSQL(tally_schema.region_function(), "DROP FUNCTION smsgw_region"),
        *(
            migrations.RunSQL(
                [*((sql, None) for sql in tally_schema.trigger_sql(table)), (tally_schema.recount_sql(table), None)],
                f"DROP FUNCTION smsgw_tally_{table} CASCADE",
            )
            for table in ("messages", "attempts")
        ),
    ]
