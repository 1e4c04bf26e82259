"""Providers: accounts at vendors, each with an adapter and its configuration."""

import secrets

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models

from sms_backend.accounts.models import Client
from sms_contract.status import TrafficType


def callback_token() -> str:
    """What makes a callback URL unguessable: 256 bits."""
    return secrets.token_urlsafe(32)


class Provider(models.Model):
    """An account at a vendor. The built-in `test` provider serves test mode and nothing else."""

    slug = models.SlugField(primary_key=True, max_length=40)
    adapter = models.CharField(max_length=40)
    active = models.BooleanField(default=True)
    priority = models.IntegerField(default=0, help_text="Higher is tried first.")
    weight = models.PositiveIntegerField(default=1, validators=[MinValueValidator(1)], help_text="The share among those of equal priority.")
    throughput = models.FloatField(
        null=True, blank=True, validators=[MinValueValidator(0.001)], help_text="Segments a second, cluster-wide; empty: no limit."
    )
    countries = ArrayField(models.CharField(max_length=8), default=list, blank=True, help_text="As +44 or GB; none: all.")
    denied = ArrayField(models.CharField(max_length=8), default=list, blank=True, help_text="Countries that it does not serve.")
    low_balance = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0.001)],
        help_text="Below this, in the account's own currency, operators are told; empty: never.",
    )
    config = models.TextField(editable=False, help_text="Encrypted JSON, by the adapter's schema.")
    callback_token = models.CharField(max_length=64, default=callback_token, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("-priority", "slug")

    def __str__(self) -> str:
        return self.slug


class ProviderBalance(models.Model):
    """What a vendor said was left in an account, and what became of the last question."""

    provider = models.OneToOneField(Provider, primary_key=True, on_delete=models.CASCADE, related_name="balance")
    amount = models.DecimalField(max_digits=20, decimal_places=6, null=True, help_text="As last told.")
    currency = models.CharField(max_length=8, blank=True)
    told_at = models.DateTimeField(null=True, help_text="When that was.")
    asked_at = models.DateTimeField()
    error = models.CharField(max_length=300, blank=True, help_text="Why the last question was not answered.")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"balance of {self.provider_id}"


class Pause(models.Model):
    """What an operator holds back: everything that matches each field which is set. Accepting goes on."""

    client = models.ForeignKey(Client, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    lane = models.CharField(max_length=16, null=True, blank=True, choices=[(t, t.value) for t in TrafficType])  # noqa: DJ001
    provider = models.ForeignKey(Provider, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=("client", "lane", "provider"), nulls_distinct=False, name="paused_once"),)

    def __str__(self) -> str:
        return ", ".join(str(part) for part in (self.client_id, self.lane, self.provider_id) if part) or "everything"
