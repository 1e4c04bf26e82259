"""Signatures by Standard Webhooks 1.0 (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md)."""

import base64
import hmac
from collections.abc import Iterable

_PREFIX = "whsec_"


def signature(secrets: Iterable[str], *, webhook_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: one entry a secret, so that a receiver may know either while they change."""
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    return " ".join(f"v1,{base64.b64encode(hmac.digest(_key(secret), signed, 'sha256')).decode()}" for secret in secrets)


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(_PREFIX))
