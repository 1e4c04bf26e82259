"""API keys as text: `sgw_{mode}_{key id}_{secret}`, of which only an HMAC of the secret is kept."""

import hmac
import secrets
import string

from sms_backend.core.environment import environment

_ALPHABET = string.ascii_letters + string.digits
#: 43 characters of 62 carry 256 bits.
_LENGTH = 43


def new_secret() -> str:
    """A secret that nobody can guess."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def key_hash(secret: str) -> str:
    """What is stored and compared: hex HMAC-SHA256 under the pepper."""
    return hmac.digest(environment.smsgw_key_pepper.get_secret_value().encode(), secret.encode(), "sha256").hex()


def key_text(mode: str, key_id: str, secret: str) -> str:
    """What the client is shown once."""
    return f"sgw_{mode}_{key_id}_{secret}"
