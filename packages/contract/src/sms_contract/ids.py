"""Identifiers: UUIDv7 tracking ids, whose order is the order of time (RFC 9562, section 5.7)."""

import os
import re
import uuid
from collections.abc import Callable

_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def uuid7(now_ms: int, entropy: Callable[[int], bytes] = os.urandom) -> str:
    """A new UUIDv7, in text, for a moment in milliseconds since 1970."""
    stamp = f"{now_ms:012x}"
    random = entropy(10)
    tail = random.hex()
    variant = "89ab"[random[9] & 3]
    return f"{stamp[:8]}-{stamp[8:]}-7{tail[:3]}-{variant}{tail[3:6]}-{tail[6:18]}"


def is_tracking_id(text: str) -> bool:
    """Whether `text` is a UUIDv7 in the one spelling that we hand out."""
    return _UUID7.fullmatch(text) is not None


def created_ms(tracking_id: str) -> int:
    """The moment, in milliseconds since 1970, that a UUIDv7 carries."""
    return int(tracking_id[:8] + tracking_id[9:13], 16)


def floor(ms: int) -> uuid.UUID:
    """The least UUIDv7-shaped value of a millisecond: a bound for range queries and partitions."""
    return uuid.UUID(int=ms << 80)
