from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_denied")]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="pepper",
            field=models.CharField(db_default="", default="", editable=False, help_text="Marks the pepper of the hash.", max_length=8),
        ),
    ]
