from django.db import migrations

from sms_backend.messages import tally_schema


class Migration(migrations.Migration):
    """The same numbers for less: what comes less what goes, instead of each row beside itself. The triggers stay."""

    dependencies = [("sms_messages", "0091_names")]
    operations = [
        migrations.RunSQL([(tally_schema.function_sql(table), None) for table in ("messages", "attempts")], migrations.RunSQL.noop),
    ]
