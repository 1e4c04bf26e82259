"""
Messages and what happened to them.

`messages`, `attempts`, `receipts` and `callbacks` are partitioned by range of a UUIDv7, that is by time (`schema.py`). The hot statements
stand beside this file, as SQL; nothing hot is written through `save`.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from sms_backend.accounts.models import Client
from sms_backend.messages.cancel_models import CancelRequest  # noqa: F401 - Django finds models from here
from sms_backend.messages.inbound_models import InboundMessage, Suppression  # noqa: F401
from sms_backend.messages.inquiry_models import Inquiry  # noqa: F401
from sms_backend.messages.part_models import AttemptPart  # noqa: F401
from sms_backend.messages.recovery_models import Recovery  # noqa: F401
from sms_backend.messages.resend_models import Resend  # noqa: F401
from sms_backend.messages.tally_models import Tally, TallyChange  # noqa: F401
from sms_backend.messages.webhook_models import WebhookDelivery, WebhookTry  # noqa: F401
from sms_contract.status import Status, TrafficType


class Message(models.Model):
    """One message (MT); the row is also its place in the queue of record."""

    id = models.UUIDField(primary_key=True, help_text="The tracking id.")
    client = models.ForeignKey(Client, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    mode = models.CharField(max_length=4)
    lane = models.CharField(max_length=16, choices=[(t, t.value) for t in TrafficType], verbose_name="traffic type")
    recipient = models.CharField(max_length=16, verbose_name="to")
    sender = models.CharField(max_length=16, null=True, verbose_name="from")  # noqa: DJ001
    text = models.TextField()
    wire_text = models.TextField(null=True)  # noqa: DJ001 - only where it differs from `text`
    encoding = models.CharField(max_length=8)
    segments = models.SmallIntegerField()
    characters = models.SmallIntegerField()
    max_segments = models.SmallIntegerField()
    providers = ArrayField(models.TextField(), default=list, help_text="Exclusive and in order; none: smart selection.")
    reference = models.TextField(null=True)  # noqa: DJ001
    callback_url = models.TextField(null=True)  # noqa: DJ001
    metadata = models.JSONField(default=dict)
    on_unknown = models.CharField(max_length=8)
    failover_on = ArrayField(models.TextField(), default=list, db_default=[], help_text="Reports that start the next provider.")
    batch_id = models.UUIDField(null=True)
    batch_index = models.IntegerField(default=0)
    key_id = models.CharField(max_length=12, null=True)  # noqa: DJ001
    traceparent = models.TextField(null=True)  # noqa: DJ001

    status = models.CharField(max_length=12, choices=[(s, s.value) for s in Status])
    version = models.IntegerField(help_text="Grows with every update.")
    attempts = models.SmallIntegerField(default=0, help_text="How many were started; the last one's number.")
    round = models.SmallIntegerField(default=0, help_text="How many times every eligible provider has been tried.")
    tried = ArrayField(models.TextField(), default=list, help_text="Providers tried in this round.")
    unsuitable = ArrayField(models.TextField(), default=list, help_text="Providers that will not take it: sender, destination or route.")
    resends = models.SmallIntegerField(default=0, help_text="Sends after an outcome that nobody could find out.")
    failovers = models.SmallIntegerField(default=0, db_default=0, help_text="How many times a report has started the next provider.")
    next_attempt_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True, help_text="While `sending`: when to look into a worker that fell silent.")
    unknown_until = models.DateTimeField(null=True, help_text="While `sending` with an unknown outcome: when the policy decides.")
    cancel_requested_at = models.DateTimeField(null=True)
    provider = models.CharField(max_length=40, null=True)  # noqa: DJ001
    provider_message_id = models.TextField(null=True)  # noqa: DJ001
    error_code = models.CharField(max_length=40, null=True)  # noqa: DJ001
    error_detail = models.TextField(null=True)  # noqa: DJ001
    error_provider_code = models.TextField(null=True)  # noqa: DJ001
    charged_day = models.DateField(null=True)
    charged_segments = models.SmallIntegerField(default=0)
    refunded_at = models.DateTimeField(null=True)

    send_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField(help_text="When it was accepted.")
    stored_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "messages"
        ordering = ("-id",)
        get_latest_by = "id"

    def __str__(self) -> str:
        return str(self.pk)


class Attempt(models.Model):
    """One claim, one attempt: written as `started` before the provider is called, so that a killed worker leaves evidence."""

    pk = models.CompositePrimaryKey("message_id", "number")
    message = models.ForeignKey(Message, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    number = models.SmallIntegerField()
    provider = models.CharField(max_length=40)
    reference = models.TextField(null=True, help_text="What the vendor was given for ours; null: the tracking id.")  # noqa: DJ001
    outcome = models.CharField(max_length=32, help_text="`started`, then one of the outcomes of `sms_providers.errors`.")
    report = models.CharField(max_length=12, null=True, help_text="What the provider's reports say, summed up.")  # noqa: DJ001
    provider_message_id = models.TextField(null=True)  # noqa: DJ001
    error_code = models.CharField(max_length=40, null=True)  # noqa: DJ001
    error_detail = models.TextField(null=True)  # noqa: DJ001
    error_provider_code = models.TextField(null=True)  # noqa: DJ001
    decision = models.JSONField(help_text="Why this provider, and which were skipped and why.")
    lookups_missed = models.SmallIntegerField(default=0, help_text="How many look-ups have not found it.")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    reported_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "attempts"
        ordering = ("message_id", "number")

    def __str__(self) -> str:
        return f"{self.message_id} #{self.number}"


class Receipt(models.Model):
    """One report of a provider about one attempt, as the adapter read it; `message` is null until it is matched."""

    id = models.UUIDField(primary_key=True, help_text="UUIDv7 of its arrival.")
    callback_id = models.UUIDField(null=True, help_text="The raw callback that it came in.")
    message_id = models.UUIDField(null=True)
    attempt = models.SmallIntegerField(null=True)
    provider = models.CharField(max_length=40)
    provider_message_id = models.TextField(null=True)  # noqa: DJ001
    reference = models.TextField(null=True, help_text="Ours, where the vendor sends it back.")  # noqa: DJ001
    status = models.CharField(max_length=12)
    error_code = models.CharField(max_length=40, null=True)  # noqa: DJ001
    provider_code = models.TextField(null=True)  # noqa: DJ001
    part = models.SmallIntegerField(default=0)
    parts = models.SmallIntegerField(default=1)
    occurred_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "receipts"
        ordering = ("id",)
        indexes = (
            models.Index(fields=("message_id",), name="receipts_message"),
            models.Index(fields=("received_at",), condition=models.Q(applied_at=None), name="receipts_orphaned"),
        )

    def __str__(self) -> str:
        return f"{self.provider} {self.status}"


class RawCallback(models.Model):
    """A provider's request to us, as it came; judged after it is safe."""

    id = models.UUIDField(primary_key=True, help_text="UUIDv7 that the gateway gave it.")
    provider = models.CharField(max_length=40)
    method = models.CharField(max_length=8)
    path = models.TextField()
    query = models.TextField()
    headers = models.JSONField()
    body = models.BinaryField()
    received_at = models.DateTimeField()
    judged_at = models.DateTimeField(null=True)
    verdict = models.CharField(max_length=20, null=True, help_text="`applied`, `forged`, `unreadable`, `orphaned`.")  # noqa: DJ001

    class Meta:
        db_table = "callbacks"
        ordering = ("id",)
        indexes = (models.Index(fields=("id",), condition=models.Q(judged_at=None), name="callbacks_due"),)

    def __str__(self) -> str:
        return str(self.pk)


class IdempotencyKey(models.Model):
    """Idempotency's last word: which message a key stands for, for 24 hours after it was reserved."""

    pk = models.CompositePrimaryKey("client_id", "digest", "item")
    client = models.ForeignKey(Client, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    digest = models.CharField(max_length=32, help_text="Scoped by mode, see `sms_contract.keyspace`.")
    item = models.IntegerField(help_text="Index in a batch.")
    message_id = models.UUIDField()
    fingerprint = models.CharField(max_length=64)
    reserved_at = models.DateTimeField()

    class Meta:
        db_table = "idempotency_keys"
        indexes = (models.Index(fields=("reserved_at",), name="idempotency_reserved"),)

    def __str__(self) -> str:
        return self.digest


class Alias(models.Model):
    """A second tracking id that answers for a message, where Redis had lost the first."""

    alias = models.UUIDField(primary_key=True)
    message_id = models.UUIDField(db_index=True)
    client = models.ForeignKey(Client, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    created_at = models.DateTimeField()
    charged_day = models.DateField(null=True, help_text="What it was charged to, and is given back to.")
    charged_segments = models.SmallIntegerField(default=0)

    class Meta:
        db_table = "aliases"

    def __str__(self) -> str:
        return str(self.alias)


class QuotaUsage(models.Model):
    """Segments charged to a client's day: what Redis's counters are set from after it has lost them."""

    pk = models.CompositePrimaryKey("client_id", "day")
    client = models.ForeignKey(Client, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    day = models.DateField()
    used = models.IntegerField()

    class Meta:
        db_table = "quota_usage"

    def __str__(self) -> str:
        return f"{self.client_id} {self.day}"


class ProjectionDue(models.Model):
    """
    Messages whose changes Redis may not have seen yet; written with the changes, deleted once Redis has them.

    A row a batch, not a message, so it costs next to nothing. `while_status` spares those that have moved on: their later change has a
    row of its own.
    """

    due_at = models.DateTimeField(db_index=True)
    message_ids = ArrayField(models.UUIDField())
    while_status = ArrayField(models.TextField(), null=True, help_text="Only messages that are still so; null: all.")

    class Meta:
        db_table = "projection_due"

    def __str__(self) -> str:
        return str(self.pk)


class Parked(models.Model):
    """What could not be decoded or stored, and why; never dropped by a program."""

    queue = models.CharField(max_length=60)
    reason = models.TextField()
    body = models.BinaryField()
    headers = models.JSONField(default=dict)
    message_id = models.CharField(max_length=64, default="", help_text="AMQP message id, and the entry's index.")
    parked_at = models.DateTimeField(auto_now_add=True)
    replayed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "parked"
        ordering = ("id",)
        verbose_name_plural = "parked"
        constraints = (models.UniqueConstraint(fields=("queue", "message_id"), name="parked_once"),)

    def __str__(self) -> str:
        return f"{self.queue}: {self.reason[:60]}"


class SweeperRun(models.Model):
    """When a sweeper last came to its end; and, of one that walks through a table, how far it has got."""

    name = models.CharField(primary_key=True, max_length=60)
    succeeded_at = models.DateTimeField(null=True)
    seconds = models.FloatField(null=True, help_text="How long that took.")
    reached = models.UUIDField(null=True)

    class Meta:
        db_table = "sweeper_runs"

    def __str__(self) -> str:
        return self.name


class PseudonymKey(models.Model):
    """The one key under which numbers become pseudonyms, encrypted."""

    id = models.SmallIntegerField(primary_key=True)
    secret = models.TextField(editable=False)

    class Meta:
        db_table = "pseudonym_key"

    def __str__(self) -> str:
        return "the key of pseudonyms"


class IntakeInstance(models.Model):
    """A running intake, and since when it holds the oldest message it has not committed: how one knows that the queues are drained."""

    id = models.UUIDField(primary_key=True)
    heartbeat_at = models.DateTimeField()
    holds_since = models.DateTimeField(null=True)
    empty_at = models.DateTimeField(null=True, help_text="When it last saw all its queues empty.")

    class Meta:
        db_table = "intake_instances"

    def __str__(self) -> str:
        return str(self.pk)
