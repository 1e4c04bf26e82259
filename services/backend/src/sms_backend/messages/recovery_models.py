"""Which backups were restored, and when that was made good."""

from django.db import models
from django.db.models.functions import Now


class Recovery(models.Model):
    """What is stored after the first one for a backup came after the restore: it cannot have been sent in the life that was lost."""

    since = models.DateTimeField(primary_key=True, help_text="When the backup was made, as `recover` was told.")
    #: By PostgreSQL's clock, as `stored_at`, which it is compared with.
    recovered_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "recoveries"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.since} at {self.recovered_at}"
