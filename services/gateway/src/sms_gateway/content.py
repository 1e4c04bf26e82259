"""The alphabet a text travels in, and what it becomes there."""

import re
import unicodedata
from functools import lru_cache

import msgspec
from anyascii import anyascii

from sms_contract.segments import Encoding, Segments, is_gsm7, measure, not_gsm7
from sms_gateway.problems import Problem

#: Typographic characters and what typewriters had for them; what is invisible goes.
_TYPOGRAPHY = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212", "-"),
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u2035\u2039\u203a\u00b4`", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u2036\u00ab\u00bb", '"'),
        **dict.fromkeys("\t\v\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " "),
        **dict.fromkeys("\u0085\u2028\u2029", "\n"),
        **dict.fromkeys("\u00ad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff", ""),
        **dict.fromkeys("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufe0e\ufe0f", ""),
        "\u2024": ".",
        "\u2025": "..",
        "\u2026": "...",
        "\u2022": "*",
    }
)

_ASKS = re.compile("QUESTION|INTERROBANG")


class Content(msgspec.Struct):
    """A text as it will be sent."""

    segments: Segments
    wire_text: str | None  #: where it differs from what was asked for


def settle(text: str, encoding: str, max_segments: int) -> Content:
    """Choose the alphabet and count segments. Raises `Problem` where the text does not fit."""
    wire_text = None
    if encoding == "auto":
        segments = measure(text)
    elif encoding == "ucs2":
        segments = measure(text, Encoding.UCS2)
    elif encoding == "gsm7":
        if not is_gsm7(text):
            raise Problem("content.not_encodable", f"These characters do not fit GSM-7: {' '.join(not_gsm7(text)[:20])}")
        segments = measure(text, Encoding.GSM7)
    else:
        plain = in_gsm7(text)
        wire_text = plain if plain != text else None
        segments = measure(wire_text or text)
    if segments.count > max_segments:
        raise Problem("content.too_long", f"The text needs {segments.count} segments; at most {max_segments} are allowed.")
    return Content(segments, wire_text)


def transliterate(text: str) -> str:
    """
    Replace what GSM-7 has not by what says the same there: typography, accents, compatibility forms, other scripts.

    What has no equivalent stays as it is, so that it is seen to be there; it never becomes a question mark.
    """
    composed = unicodedata.normalize("NFC", text.translate(_TYPOGRAPHY))
    if is_gsm7(composed):
        return composed
    return "".join(_plain(character) for character in composed)


def in_gsm7(text: str) -> str | None:
    """What `transliterate` makes of a text, or None where even that does not fit GSM-7, or nothing is left."""
    if is_gsm7(text):
        return text
    plain = transliterate(text)
    return plain if plain and is_gsm7(plain) else None


@lru_cache(maxsize=4096)  # by character: texts repeat their alphabet
def _plain(character: str) -> str:
    if is_gsm7(character):
        return character
    if unicodedata.combining(character):
        return ""
    decomposed = unicodedata.normalize("NFKD", character).translate(_TYPOGRAPHY)
    bare = "".join(c for c in decomposed if not unicodedata.combining(c))
    if bare and is_gsm7(bare):
        return bare
    named: str = anyascii(character).translate(_TYPOGRAPHY)
    if "?" in named and not _ASKS.search(unicodedata.name(character, "")):
        return character  # the library's way of saying that it does not know
    return named if named and is_gsm7(named) else character
