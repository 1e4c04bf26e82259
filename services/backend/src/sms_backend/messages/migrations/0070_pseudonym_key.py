from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sms_messages", "0061_failover")]

    operations = [
        migrations.CreateModel(
            name="PseudonymKey",
            fields=[
                ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("secret", models.TextField(editable=False)),
            ],
            options={"db_table": "pseudonym_key"},
        ),
    ]
