"""What providers are to be asked about attempts."""

from django.db import models


class Inquiry(models.Model):
    """An attempt whose outcome is to be looked up, or whose report is to be fetched; gone once it is known."""

    pk = models.CompositePrimaryKey("message_id", "number")
    message_id = models.UUIDField()
    number = models.SmallIntegerField()
    provider = models.CharField(max_length=40)
    kind = models.CharField(max_length=8, help_text="`look_up` or `poll`.")
    due_at = models.DateTimeField(db_index=True)
    since = models.DateTimeField(help_text="When it was first to be asked.")

    class Meta:
        db_table = "inquiries"
        verbose_name_plural = "inquiries"

    def __str__(self) -> str:
        return f"{self.kind} {self.message_id} #{self.number}"
