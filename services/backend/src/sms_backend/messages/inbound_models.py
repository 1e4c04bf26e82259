"""Messages from people, and who wants none from whom."""

from django.db import models

from sms_backend.accounts.models import Client


class InboundMessage(models.Model):
    """A message from a person (MO), or a part of one where the vendor hands them on unjoined."""

    id = models.UUIDField(primary_key=True, help_text="UUIDv7 of its arrival.")
    callback_id = models.UUIDField(help_text="The raw callback that it came in.")
    provider = models.CharField(max_length=40)
    provider_message_id = models.TextField()
    sender = models.CharField(max_length=32, verbose_name="from")
    recipient = models.CharField(max_length=32, verbose_name="to")
    text = models.TextField()
    segments = models.SmallIntegerField()
    client = models.ForeignKey(Client, null=True, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    asks = models.CharField(max_length=8, null=True, help_text="`stop`, `start` or `help`.")  # noqa: DJ001
    part = models.SmallIntegerField(default=0, help_text="From 1; 0: it is whole.")
    parts = models.SmallIntegerField(default=1)
    part_reference = models.TextField(null=True)  # noqa: DJ001
    received_at = models.DateTimeField()
    handed_on_at = models.DateTimeField(null=True, help_text="Null while parts of it are missing.")

    class Meta:
        db_table = "inbound_messages"
        ordering = ("id",)
        indexes = (
            models.Index(fields=("provider", "provider_message_id"), name="inbound_once"),
            models.Index(fields=("received_at",), condition=models.Q(handed_on_at=None), name="inbound_incomplete"),
            models.Index(fields=("client", "id"), name="inbound_by_client"),
        )

    def __str__(self) -> str:
        return str(self.pk)


class Suppression(models.Model):
    """A number that wants nothing from a sender of a client."""

    pk = models.CompositePrimaryKey("client_id", "recipient", "sender")
    client = models.ForeignKey(Client, on_delete=models.CASCADE, db_index=False, related_name="+")
    recipient = models.CharField(max_length=16, verbose_name="number")
    sender = models.CharField(max_length=16, help_text="Empty: from whichever sender of the client.")
    source = models.CharField(max_length=16, help_text="`inbound`, `provider`, `operator` or `import`.")
    created_at = models.DateTimeField()

    class Meta:
        db_table = "suppressions"
        ordering = ("client", "recipient", "sender")

    def __str__(self) -> str:
        return f"{self.client_id} {self.source}"
