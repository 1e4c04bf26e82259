"""Messages that were sent anew, by hand."""

from django.db import models


class Resend(models.Model):
    """A message that stands for another which did not arrive; each has one successor at most."""

    original_id = models.UUIDField(primary_key=True, help_text="The tracking id of the message that did not arrive.")
    message_id = models.UUIDField(unique=True, help_text="The tracking id of the one that was sent in its place.")
    requested_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "resends"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.original_id} → {self.message_id}"
