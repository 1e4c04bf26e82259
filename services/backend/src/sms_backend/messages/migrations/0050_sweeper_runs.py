from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sms_messages", "0010_inquiries")]

    operations = [
        migrations.CreateModel(
            name="SweeperRun",
            fields=[
                ("name", models.CharField(max_length=60, primary_key=True, serialize=False)),
                ("succeeded_at", models.DateTimeField(null=True)),
                ("seconds", models.FloatField(help_text="How long that took.", null=True)),
                ("reached", models.UUIDField(null=True)),
            ],
            options={"db_table": "sweeper_runs"},
        ),
    ]
