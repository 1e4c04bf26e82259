import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_webhooks")]

    operations = [
        migrations.AddField(
            model_name="client",
            name="denied",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=8),
                blank=True,
                db_default=[],
                default=list,
                help_text="Refused ones, whatever is allowed.",
                size=None,
            ),
        ),
    ]
