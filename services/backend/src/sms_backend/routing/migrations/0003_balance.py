import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("routing", "0002_pause")]

    operations = [
        migrations.AddField(
            model_name="provider",
            name="low_balance",
            field=models.FloatField(
                blank=True,
                help_text="Below this, in the account's own currency, operators are told; empty: never.",
                null=True,
                validators=[django.core.validators.MinValueValidator(0.001)],
            ),
        ),
        migrations.CreateModel(
            name="ProviderBalance",
            fields=[
                (
                    "provider",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="balance",
                        serialize=False,
                        to="routing.provider",
                    ),
                ),
                ("amount", models.DecimalField(decimal_places=6, help_text="As last told.", max_digits=20, null=True)),
                ("currency", models.CharField(blank=True, max_length=8)),
                ("told_at", models.DateTimeField(help_text="When that was.", null=True)),
                ("asked_at", models.DateTimeField()),
                ("error", models.CharField(blank=True, help_text="Why the last question was not answered.", max_length=300)),
            ],
            options={"default_permissions": ()},
        ),
    ]
