from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("sms_messages", "0092_tallies_by_difference")]

    operations = [
        migrations.CreateModel(
            name="Recovery",
            fields=[
                (
                    "since",
                    models.DateTimeField(help_text="When the backup was made, as `recover` was told.", primary_key=True, serialize=False),
                ),
                ("recovered_at", models.DateTimeField(db_default=Now())),
            ],
            options={
                "db_table": "recoveries",
                "default_permissions": (),
            },
        ),
    ]
