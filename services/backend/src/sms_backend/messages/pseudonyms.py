"""
Numbers that are no longer kept, as something that can still be recognised: `#` and 15 hex digits of an HMAC.

Whoever has the number can find what it stands for; whoever has the pseudonym alone can try all numbers only with the key, which is in
PostgreSQL encrypted under `SMSGW_CREDENTIAL_KEYS`. It is made once and never changed: with another one old pseudonyms would name nobody.
"""

import hmac
import secrets
import threading

from sms_backend.core.crypto import seal, unseal
from sms_backend.messages.models import PseudonymKey

#: In place of a number that nobody may recognise any more.
ERASED = "erased"
MARK = "#"
_DIGITS = 15


class _Key:
    lock = threading.Lock()
    value: bytes | None = None


def pseudonym(number: str) -> str:
    """What stands for a number; of what is none any more, itself."""
    if number.startswith(MARK) or number == ERASED:
        return number
    return MARK + hmac.digest(_key(), number.encode(), "sha256").hex()[:_DIGITS]


def is_pseudonym(text: str) -> bool:
    """Whether it stands for a number that is no longer kept."""
    return len(text) == len(MARK) + _DIGITS and text.startswith(MARK) and all(digit in "0123456789abcdef" for digit in text[1:])


def forget() -> None:
    """Read the key again: another database has another one."""
    with _Key.lock:
        _Key.value = None


def _key() -> bytes:
    if _Key.value is None:
        with _Key.lock:
            # Whoever comes second gets what the first has made.
            row, _ = PseudonymKey.objects.get_or_create(id=1, defaults={"secret": seal({"key": secrets.token_hex(32)})})
            _Key.value = bytes.fromhex(unseal(row.secret)["key"])
    return _Key.value
