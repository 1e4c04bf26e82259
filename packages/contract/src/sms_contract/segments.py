"""
How a text becomes SMS segments: GSM 03.38 (3GPP TS 23.038) and UCS-2, and where it is cut.

An escape pair of the extension table and a surrogate pair are never split, so a segment may be one unit short.
"""

import re
from enum import StrEnum

import msgspec

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = "\f^{}\\[~]|€"

BASIC = frozenset(_BASIC)
EXTENSION = frozenset(_EXTENSION)

_GSM7 = re.compile(f"[{re.escape(_BASIC + _EXTENSION)}]*")
_EXTENDED = re.compile(f"[{re.escape(_EXTENSION)}]")


class Encoding(StrEnum):
    """The alphabet that a text travels in."""

    GSM7 = "gsm7"
    UCS2 = "ucs2"


#: Units (septets or UTF-16 units) in a message of one segment, and in each segment of a longer one.
SINGLE = {Encoding.GSM7: 160, Encoding.UCS2: 70}
PART = {Encoding.GSM7: 153, Encoding.UCS2: 67}


class Segments(msgspec.Struct, frozen=True):
    """How many segments a text needs; `characters` are septets (GSM-7) or UTF-16 units (UCS-2)."""

    count: int
    encoding: Encoding
    characters: int


def is_gsm7(text: str) -> bool:
    """Whether every character is in the GSM 03.38 default alphabet or its extension table."""
    return _GSM7.fullmatch(text) is not None


def measure(text: str, encoding: Encoding | None = None) -> Segments:
    """Count segments; without an encoding GSM-7 if the text fits it, else UCS-2."""
    if encoding is None:
        encoding = Encoding.GSM7 if is_gsm7(text) else Encoding.UCS2
    wide = _wide_characters(text, encoding)
    units = len(text) + wide
    if units <= SINGLE[encoding]:
        return Segments(1, encoding, units)
    if not wide:
        return Segments(-(-units // PART[encoding]), encoding, units)
    return Segments(len(split(text, encoding)), encoding, units)


def split(text: str, encoding: Encoding) -> list[str]:
    """Cut a text into what each segment carries."""
    if len(text) + _wide_characters(text, encoding) <= SINGLE[encoding]:
        return [text]
    capacity = PART[encoding]
    parts: list[str] = []
    start = used = 0
    for position, character in enumerate(text):
        units = 2 if _is_wide(character, encoding) else 1
        if used + units > capacity:
            parts.append(text[start:position])
            start, used = position, 0
        used += units
    parts.append(text[start:])
    return parts


def not_gsm7(text: str) -> list[str]:
    """The characters that GSM-7 cannot carry, each once, in order of appearance."""
    return list(dict.fromkeys(c for c in text if c not in BASIC and c not in EXTENSION))


def _wide_characters(text: str, encoding: Encoding) -> int:
    if encoding is Encoding.GSM7:
        return len(_EXTENDED.findall(text))
    if text.isascii():
        return 0
    return sum(character > "\uffff" for character in text)


def _is_wide(character: str, encoding: Encoding) -> bool:
    return character in EXTENSION if encoding is Encoding.GSM7 else character > "\uffff"
