"""Sinch's webhook signature: HMAC-SHA256 over body, nonce and time stamp, written from its documentation."""

import base64
import hashlib
import hmac


def sign(secret: str, body: bytes, nonce: str, timestamp: int) -> dict[str, str]:
    """The headers that go with a body."""
    mac = hmac.new(secret.encode("utf-8"), digestmod=hashlib.sha256)
    for piece in (body, b".", nonce.encode("ascii"), b".", str(timestamp).encode("ascii")):
        mac.update(piece)
    return {
        "x-sinch-webhook-signature": base64.b64encode(mac.digest()).decode("ascii"),
        "x-sinch-webhook-signature-nonce": nonce,
        "x-sinch-webhook-signature-timestamp": str(timestamp),
        "x-sinch-webhook-signature-algorithm": "HmacSHA256",
    }
