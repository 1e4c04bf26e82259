"""What the console keeps for itself: rights, the audit trail, second factors."""

import base64
import hmac
import secrets
import time
import uuid
from typing import Any
from urllib.parse import quote, urlencode

from django.conf import settings
from django.db import models
from django.utils.crypto import salted_hmac
from django_otp.models import Device, ThrottlingMixin
from django_otp.oath import TOTP

from sms_backend.console.rights import Right
from sms_backend.core.crypto import seal, unseal
from sms_contract.ids import uuid7

#: Confusable characters are left out.
_CODE_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
RECOVERY_CODES = 10
_KEY_BYTES = 20  #: RFC 4226: as long as SHA-1's output
_STEP = 30


def new_entry_id() -> uuid.UUID:
    """Ids go with time, so that pages of the trail need no other order."""
    return uuid.UUID(uuid7(time.time_ns() // 1_000_000))


class Access(models.Model):  # noqa: DJ008 - it has no rows
    """Holds the permissions that belong to no table; `rights.Right` names them."""

    class Meta:
        managed = False
        default_permissions = ()
        permissions = tuple((right.codename, right.codename.replace("_", " ")) for right in Right)


class AuditEntry(models.Model):
    """One thing that somebody did in the console. Never changed: PostgreSQL refuses it."""

    id = models.UUIDField(primary_key=True, default=new_entry_id, editable=False)
    at = models.DateTimeField(auto_now_add=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
    who = models.CharField(max_length=150, blank=True, help_text="The user's name as it was then; empty: nobody who is known here.")
    action = models.CharField(max_length=64)
    object_type = models.CharField(max_length=64, blank=True)
    object_id = models.CharField(max_length=128, blank=True)
    object_name = models.CharField(max_length=200, blank=True)
    changes = models.JSONField(default=dict, help_text="Field to what it was and what it is; no secrets, no numbers, no texts.")
    address = models.GenericIPAddressField(null=True)

    class Meta:
        ordering = ("-id",)
        default_permissions = ("view",)
        verbose_name = "audit entry"
        verbose_name_plural = "audit trail"
        indexes = (
            models.Index(fields=("object_id", "id"), name="audit_by_object"),
            models.Index(fields=("object_name", "id"), name="audit_by_name"),
            models.Index(fields=("who", "id"), name="audit_by_who"),
            models.Index(fields=("action", "id"), name="audit_by_action"),
        )

    def __str__(self) -> str:
        return f"{self.action} {self.object_name}".strip()


class Totp(ThrottlingMixin, Device):
    """An authenticator app of a user; its key is encrypted like a provider's credentials."""

    sealed_key = models.TextField(editable=False)
    last_step = models.BigIntegerField(default=-1, help_text="A code is good once: the next must be of a later step.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("user",), name="one_totp_a_user"),)

    @classmethod
    def made_for(cls, user: Any) -> "Totp":
        """A new one, not confirmed yet, in place of one that never was."""
        cls.objects.filter(user=user, confirmed=False).delete()
        key = base64.b32encode(secrets.token_bytes(_KEY_BYTES)).decode()
        made: Totp = cls.objects.create(user=user, name="totp", confirmed=False, sealed_key=seal({"key": key}))
        return made

    @property
    def key(self) -> str:
        """In Base32, as authenticator apps take it."""
        return str(unseal(self.sealed_key)["key"])

    @property
    def url(self) -> str:
        """What the QR code says. Source: https://github.com/google/google-authenticator/wiki/Key-Uri-Format"""
        label = quote(f"SMS Gateway:{self.user.get_username()}")
        return f"otpauth://totp/{label}?{urlencode({'secret': self.key, 'issuer': 'SMS Gateway'}, quote_via=quote)}"

    def verify_token(self, token: str) -> bool:
        """Whether a code is right, now, and was not used before; wrong ones make the next wait longer each time."""
        if not self.verify_is_allowed()[0]:
            return False
        if token.isascii() and token.isdigit() and len(token) == 6:
            totp = TOTP(base64.b32decode(self.key), step=_STEP)
            totp.time = time.time()
            # One step before and after: clocks differ, people are slow (RFC 6238, 5.2).
            if totp.verify(int(token), 1, self.last_step + 1):
                self.last_step = totp.t()
                self.throttle_reset(commit=False)
                self.save()
                return True
        self.throttle_increment()
        return False

    def get_throttle_factor(self) -> int:
        """Seconds after the first wrong code; twice as long after each further."""
        return 1


class Recovery(ThrottlingMixin, Device):
    """A user's recovery codes, as hashes; each is good once."""

    hashes = models.JSONField(default=list, editable=False)

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("user",), name="one_recovery_a_user"),)

    @classmethod
    def renewed_for(cls, user: Any) -> list[str]:
        """New codes in place of all old ones; the only sight of them."""
        codes = ["-".join("".join(secrets.choice(_CODE_ALPHABET) for _ in range(5)) for _ in range(2)) for _ in range(RECOVERY_CODES)]
        # In place: whoever came in by one of the old codes stays in.
        cls.objects.update_or_create(user=user, defaults={"name": "recovery", "hashes": [_hashed(code) for code in codes]})
        return codes

    def verify_token(self, token: str) -> bool:
        """Whether it is one of the codes that are left, which is then used up."""
        if not self.verify_is_allowed()[0]:
            return False
        given = _hashed(token.strip().lower())
        left = [known for known in self.hashes if not hmac.compare_digest(known, given)]
        if len(left) == len(self.hashes):
            self.throttle_increment()
            return False
        self.hashes = left
        self.throttle_reset(commit=False)
        self.save()
        return True

    def get_throttle_factor(self) -> int:
        """Seconds after the first wrong code; twice as long after each further."""
        return 1


def _hashed(code: str) -> str:
    # 49 bits each, under a key that the database does not hold; wrong ones are throttled.
    return salted_hmac("sms_backend.console.recovery", code, algorithm="sha256").hexdigest()
