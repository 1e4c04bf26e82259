from django.db import migrations

from sms_backend.messages import schema


class Migration(migrations.Migration):
    dependencies = [("sms_messages", "0001_initial")]
    operations = [migrations.RunSQL(schema.INDEXES, migrations.RunSQL.noop)]
