from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sms_messages", "0030_cancel_requests")]

    operations = [
        migrations.CreateModel(
            name="Inquiry",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey("message_id", "number", blank=True, editable=False, primary_key=True, serialize=False),
                ),
                ("message_id", models.UUIDField()),
                ("number", models.SmallIntegerField()),
                ("provider", models.CharField(max_length=40)),
                ("kind", models.CharField(help_text="`look_up` or `poll`.", max_length=8)),
                ("due_at", models.DateTimeField(db_index=True)),
                ("since", models.DateTimeField(help_text="When it was first to be asked.")),
            ],
            options={"verbose_name_plural": "inquiries", "db_table": "inquiries"},
        ),
    ]
