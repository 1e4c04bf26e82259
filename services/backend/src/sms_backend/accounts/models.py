"""Who may send: clients, and the keys they authenticate with."""

import secrets
import string

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models

from sms_contract.status import Mode, OnUnknown

_ALPHABET = string.ascii_lowercase + string.digits


def public_id() -> str:
    """12 characters of [a-z0-9]: 62 bits, enough for what is not a secret."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(12))


class Client(models.Model):
    """An application that sends; quotas, senders and countries are its."""

    id = models.CharField(primary_key=True, max_length=12, default=public_id, editable=False)
    name = models.CharField(max_length=100, unique=True)
    suspended = models.BooleanField(default=False, help_text="Refuses new messages and holds queued ones.")
    time_zone = models.CharField(max_length=64, default="UTC", help_text="Whose midnight starts the day of the quota.")
    daily_quota = models.PositiveIntegerField(null=True, blank=True, help_text="Segments a day; empty: no quota.")
    rate = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0.001)], help_text="Messages a second; empty: no limit.")
    burst = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)], help_text="Empty: the rate.")
    default_sender = models.CharField(max_length=16, null=True, blank=True)  # noqa: DJ001 - null is "none", also in Redis
    senders = ArrayField(models.CharField(max_length=16), default=list, blank=True, help_text="Allowed ones; none: all.")
    countries = ArrayField(models.CharField(max_length=8), default=list, blank=True, help_text="Allowed ones, as GB or +44; none: all.")
    denied = ArrayField(
        models.CharField(max_length=8),
        default=list,
        db_default=[],
        blank=True,
        help_text="Refused ones, whatever is allowed.",
    )
    on_unknown = models.CharField(max_length=8, default=OnUnknown.RESEND, choices=[(o, o.value) for o in OnUnknown])
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class ApiKey(models.Model):
    """A key: its secret is shown once and kept only as an HMAC."""

    id = models.CharField(primary_key=True, max_length=12, default=public_id, editable=False)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="keys")
    mode = models.CharField(max_length=4, default=Mode.LIVE, choices=[(m, m.value) for m in Mode])
    hash = models.CharField(max_length=64, editable=False)
    pepper = models.CharField(max_length=8, default="", db_default="", editable=False, help_text="Marks the pepper of the hash.")
    scopes = ArrayField(models.CharField(max_length=32), default=list)
    networks = ArrayField(models.CharField(max_length=43), default=list, blank=True, help_text="CIDR; none: from anywhere.")
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("client", "created_at")
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"sgw_{self.mode}_{self.id}_…"


class SigningSecrets(models.Model):
    """Under which webhooks are signed, encrypted: the newest, and while clients change over the one before it."""

    secret = models.TextField(editable=False)
    previous_secret = models.TextField(null=True, editable=False)  # noqa: DJ001
    previous_until = models.DateTimeField(null=True, editable=False, help_text="Until when the one before it signs too.")

    class Meta:
        abstract = True


class WebhookEndpoint(SigningSecrets):
    """Where a client wants to hear what becomes of its messages."""

    id = models.CharField(primary_key=True, max_length=12, default=public_id, editable=False)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="endpoints")
    url = models.TextField()
    types = ArrayField(models.CharField(max_length=32), default=list, blank=True, help_text="Wanted ones; none: all.")
    created_at = models.DateTimeField(auto_now_add=True)
    failing_since = models.DateTimeField(null=True, editable=False, help_text="Since when nothing has arrived there.")
    disabled_at = models.DateTimeField(null=True, editable=False)
    disabled_reason = models.CharField(max_length=16, default="", editable=False, help_text="`operator`, `gone` or `failing`.")

    class Meta:
        ordering = ("client", "created_at")
        verbose_name = "webhook"

    def __str__(self) -> str:
        return str(self.id)


class CallbackSecret(SigningSecrets):
    """A client's default secret: it signs what goes to the `callback_url` of a message."""

    client = models.OneToOneField(Client, on_delete=models.CASCADE, primary_key=True, related_name="callback_secret")

    def __str__(self) -> str:
        return str(self.client_id)


class InboundNumber(models.Model):
    """Whose a number is: messages from people that come to it are this client's."""

    number = models.CharField(max_length=16, help_text="As a client would write it in `from`.")
    provider = models.CharField(max_length=40, default="", blank=True, help_text="Empty: whoever brings it.")
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="numbers")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("number", "provider")
        verbose_name = "number"
        constraints = (models.UniqueConstraint(fields=("number", "provider"), name="inbound_number_once"),)

    def __str__(self) -> str:
        return f"{self.number} {self.provider}".strip()
