"""Identifiers: UUIDv7 tracking ids, whose order is the order of time (RFC 9562, section 5.7)."""

import os
import re
import uuid
from collections.abc import Callable
from functools import lru_cache

#: The digit that has the variant in its two upper bits, by a random one.
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def uuid7(now_ms: int, entropy: Callable[[int], bytes] = os.urandom) -> str:
    """A new UUIDv7, in text, for a moment in milliseconds since 1970."""
    random = entropy(10).hex()
    return f"{_stamp(now_ms)}{random[:3]}-{_VARIANTS[random[3]]}{random[4:7]}-{random[7:19]}"


@lru_cache(maxsize=64)  # many are made in one millisecond
def _stamp(now_ms: int) -> str:
    stamp = f"{now_ms:012x}"
    return f"{stamp[:8]}-{stamp[8:]}-7"


def is_tracking_id(text: str) -> bool:
    """Whether `text` is a UUIDv7 in the one spelling that we hand out."""
    return _UUID7.fullmatch(text) is not None


def created_ms(tracking_id: str) -> int:
    """The moment, in milliseconds since 1970, that a UUIDv7 carries."""
    return int(tracking_id[:8] + tracking_id[9:13], 16)


def floor(ms: int) -> uuid.UUID:
    """The least UUIDv7-shaped value of a millisecond: a bound for range queries and partitions."""
    return uuid.UUID(int=ms << 80)
