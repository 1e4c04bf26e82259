"""Telnyx's webhook signature: Ed25519 over time stamp and body, written from its documentation."""

import base64
import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def public_key(secret: str) -> str:
    """What the customer finds in the portal, for an account with this secret."""
    return base64.b64encode(_private(secret).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode("ascii")


def sign(secret: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers that go with a body."""
    signature = _private(secret).sign(str(timestamp).encode("ascii") + b"|" + body)
    return {"telnyx-timestamp": str(timestamp), "telnyx-signature-ed25519": base64.b64encode(signature).decode("ascii")}


def _private(secret: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(secret.encode("utf-8")).digest())
