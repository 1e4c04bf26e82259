"""API keys as text: `sgw_{mode}_{key id}_{secret}`, of which only an HMAC of the secret is kept."""

import hmac
import secrets
import string

from sms_backend.core.environment import environment
from sms_contract import keyspace

_ALPHABET = string.ascii_letters + string.digits
#: 43 characters of 62 carry 256 bits.
_LENGTH = 43


def new_secret() -> str:
    """A secret that nobody can guess."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def key_hash(secret: str, *, pepper: bytes | None = None) -> str:
    """What is stored and compared: hex HMAC-SHA256, under the newest pepper unless another is given."""
    return hmac.digest(pepper or environment.peppers[0], secret.encode(), "sha256").hex()


def key_hashes(secret: str) -> list[str]:
    """Under each pepper, the newest first."""
    return [key_hash(secret, pepper=pepper) for pepper in environment.peppers]


def pepper_mark() -> str:
    """Tells keys under the newest pepper from others."""
    return keyspace.pepper_mark(environment.peppers[0])


def key_text(mode: str, key_id: str, secret: str) -> str:
    """What the client is shown once."""
    return f"sgw_{mode}_{key_id}_{secret}"
