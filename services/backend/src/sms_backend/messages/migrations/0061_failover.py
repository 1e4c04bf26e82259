import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sms_messages", "0060_parts")]

    operations = [
        migrations.AddField(
            model_name="message",
            name="failover_on",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.TextField(),
                db_default=[],
                default=list,
                help_text="Reports that start the next provider.",
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="failovers",
            field=models.SmallIntegerField(db_default=0, default=0, help_text="How many times a report has started the next provider."),
        ),
    ]
