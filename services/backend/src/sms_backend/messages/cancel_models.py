"""What clients want back."""

from django.db import models

from sms_backend.accounts.models import Client


class CancelRequest(models.Model):
    """A client wants a message back, or all of a batch; kept for as long as what it names may still come or wait."""

    pk = models.CompositePrimaryKey("target", "batch", "client_id")
    target = models.UUIDField(help_text="A tracking id, an alias, or the id of a batch.")
    batch = models.BooleanField()
    client = models.ForeignKey(Client, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    requested_at = models.DateTimeField()
    stored_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "cancel_requests"

    def __str__(self) -> str:
        return str(self.target)
