"""Provider credentials at rest: MultiFernet, so that keys can be rotated."""

import json
from typing import Any

from cryptography.fernet import Fernet, MultiFernet

from sms_backend.core.environment import environment

_box = MultiFernet([Fernet(key) for key in environment.credential_keys])


def seal(value: dict[str, Any]) -> str:
    """Encrypt a JSON object."""
    return _box.encrypt(json.dumps(value).encode()).decode()


def unseal(token: str) -> dict[str, Any]:
    """Decrypt what `seal` wrote. Raises `cryptography.fernet.InvalidToken` when no key fits."""
    decoded: dict[str, Any] = json.loads(_box.decrypt(token.encode()))
    return decoded


def reseal(token: str) -> str:
    """The same secret under the newest key."""
    return _box.rotate(token.encode()).decode()
