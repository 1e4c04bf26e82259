"""Parts of a message, where a provider reports each by itself."""

from django.db import models


class AttemptPart(models.Model):
    """One part of one attempt: written once it is known that there are several, and what its reports say."""

    pk = models.CompositePrimaryKey("message_id", "number", "part")
    message_id = models.UUIDField()
    number = models.SmallIntegerField()
    part = models.TextField(help_text="The vendor's id of it, or `#2` where they are counted.")
    parts = models.SmallIntegerField(help_text="How many there are.")
    provider = models.CharField(max_length=40)
    provider_message_id = models.TextField(null=True, help_text="Where each part has an id of its own.")  # noqa: DJ001
    report = models.CharField(max_length=12, null=True)  # noqa: DJ001
    error_code = models.CharField(max_length=40, null=True)  # noqa: DJ001
    provider_code = models.TextField(null=True)  # noqa: DJ001
    reported_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "attempt_parts"
        ordering = ("message_id", "number", "part")

    def __str__(self) -> str:
        return f"{self.message_id} #{self.number} {self.part}"
