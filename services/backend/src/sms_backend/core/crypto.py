"""Provider credentials at rest: MultiFernet, so that keys can be rotated."""

import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from sms_backend.core.environment import environment

_newest = Fernet(environment.credential_keys[0])
_box = MultiFernet([Fernet(key) for key in environment.credential_keys])


def seal(value: dict[str, Any]) -> str:
    """Encrypt a JSON object."""
    return _box.encrypt(json.dumps(value).encode()).decode()


def unseal(token: str) -> dict[str, Any]:
    """Decrypt what `seal` wrote. Raises `cryptography.fernet.InvalidToken` when no key fits."""
    decoded: dict[str, Any] = json.loads(_box.decrypt(token.encode()))
    return decoded


def is_newest(token: str) -> bool:
    """Whether it is encrypted under the newest key."""
    try:
        _newest.decrypt(token.encode())
    except InvalidToken:
        return False
    return True


def reseal(token: str) -> str:
    """The same secret under the newest key."""
    return _box.rotate(token.encode()).decode()
