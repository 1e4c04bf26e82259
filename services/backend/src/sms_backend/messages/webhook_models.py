"""Webhooks on their way to clients, and each try to deliver them. Written and claimed by `events.py` and `deliveries.py`."""

from django.db import models

from sms_backend.accounts.models import Client


class WebhookDelivery(models.Model):
    """One event for one receiver, rendered when it happened; the row is also its place in the queue."""

    id = models.UUIDField(primary_key=True, help_text="UUIDv7; the receiver sees it as `webhook-id`.")
    client = models.ForeignKey(Client, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    target = models.CharField(max_length=16, help_text="The endpoint's id; for a `callback_url`, the client's after a colon.")
    url = models.TextField(null=True, help_text="The message's `callback_url`; null: the endpoint's, as it is then.")  # noqa: DJ001
    mode = models.CharField(max_length=4, help_text="Of the message: test keys may name plain http.")
    message_id = models.UUIDField(help_text="Of the message, or of the inbound message.")
    version = models.IntegerField(help_text="Of the message; receivers drop what is older than they know.")
    type = models.CharField(max_length=32)
    body = models.BinaryField()
    state = models.CharField(max_length=10, help_text="`pending`, `delivered`, `failed`: given up.")
    reason = models.CharField(max_length=32, null=True, help_text="Why the last try did not succeed.")  # noqa: DJ001
    tries = models.SmallIntegerField(default=0, help_text="How many were begun, also by replays.")
    step = models.SmallIntegerField(default=0, help_text="How many of the schedule are used up.")
    next_try_at = models.DateTimeField(null=True, help_text="While `pending`.")
    lease_until = models.DateTimeField(null=True, help_text="While a worker tries.")
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "webhook_deliveries"
        ordering = ("id",)
        verbose_name = "delivery"
        verbose_name_plural = "deliveries"
        indexes = (
            models.Index(fields=("target", "next_try_at"), condition=models.Q(state="pending"), name="webhooks_due"),
            models.Index(fields=("message_id",), name="webhooks_by_message"),
        )

    def __str__(self) -> str:
        return f"{self.type} {self.state}"


class WebhookTry(models.Model):
    """One try, and what came of it."""

    pk = models.CompositePrimaryKey("delivery_id", "number")
    delivery_id = models.UUIDField()
    number = models.SmallIntegerField()
    started_at = models.DateTimeField()
    seconds = models.FloatField()
    status = models.SmallIntegerField(null=True, help_text="HTTP; null: no answer.")
    reason = models.CharField(max_length=32, null=True, help_text="Why it counts as failed; null: it succeeded.")  # noqa: DJ001

    class Meta:
        db_table = "webhook_tries"
        ordering = ("delivery_id", "number")
        verbose_name_plural = "webhook tries"

    def __str__(self) -> str:
        return f"{self.delivery_id} #{self.number}"
