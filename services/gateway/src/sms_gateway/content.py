"""The alphabet a text travels in, and what it becomes there."""

import unicodedata

import msgspec

from sms_contract.segments import Encoding, Segments, is_gsm7, measure, not_gsm7
from sms_gateway.problems import Problem

#: Typographic characters and what typewriters had for them.
_TYPOGRAPHY = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u2039\u203a\u00b4`", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\t\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " "),
        **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", ""),
        "\u2026": "...",
        "\u2022": "*",
    }
)


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
        plain = transliterate(text)
        if is_gsm7(plain) and plain:
            wire_text = plain if plain != text else None
        segments = measure(wire_text or text)
    if segments.count > max_segments:
        raise Problem("content.too_long", f"The text needs {segments.count} segments; at most {max_segments} are allowed.")
    return Content(segments, wire_text)


def transliterate(text: str) -> str:
    """Replace what has a plain equivalent in GSM-7: typography, compatibility forms, accents. What has none stays as it is."""
    return "".join(c if is_gsm7(c) else _plain(c) for c in text.translate(_TYPOGRAPHY))


def _plain(character: str) -> str:
    decomposed = unicodedata.normalize("NFKD", character).translate(_TYPOGRAPHY)
    bare = "".join(c for c in decomposed if not unicodedata.combining(c))
    return bare if bare and is_gsm7(bare) else character
