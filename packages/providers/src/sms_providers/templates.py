"""
Placeholders and pointers: all there is of a language in a provider without code.

`{name}` is replaced by a value, escaped for the place where it stands, and nothing else has a meaning: no conditions, no loops, no
expressions. What a template may name is checked when it is configured, not when a message is waiting.
"""

import re
from collections.abc import Callable, Mapping
from urllib.parse import quote, quote_plus

import msgspec

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_INDEX = re.compile(r"0|[1-9][0-9]{0,5}")
_POINTER = re.compile(r"(/([^~/]|~[01])*)+")
#: Whatever a text may hold to break out of its place.
HOSTILE = '"\\\n\t{}[],:&=%#é\u2028'


def names(template: str) -> set[str]:
    """Which placeholders a template has."""
    return set(_PLACEHOLDER.findall(template))


def fill(template: str, values: Mapping[str, str], escape: Callable[[str], str]) -> str:
    """The template with its values, each escaped. Raises `ValueError` for a value that has no place there."""
    return _PLACEHOLDER.sub(lambda found: escape(values[found[1]]), template)


def for_url(value: str) -> str:
    """Percent-encoded, as path and query of a URL take it."""
    return quote(value, safe="")


def for_form(value: str) -> str:
    """As `application/x-www-form-urlencoded` takes it."""
    return quote_plus(value)


def for_json(value: str) -> str:
    """As it stands between the quotes of a JSON string."""
    return msgspec.json.encode(value).decode()[1:-1]


def for_header(value: str) -> str:
    """Unchanged, if it is printable ASCII: a header takes nothing else, and no escape."""
    if not value.isascii() or not value.isprintable():
        raise ValueError("not printable ASCII")
    return value


def is_pointer(text: str) -> bool:
    """Whether this is a JSON pointer to something inside a document (RFC 6901)."""
    return _POINTER.fullmatch(text) is not None


def at(document: object, pointer: str) -> str | None:
    """The text, number or truth value that a JSON pointer finds, as text; None for anything else, and for nothing."""
    found = document
    for raw in pointer.split("/")[1:]:
        token = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict):
            found = found.get(token)
        elif isinstance(found, list) and _INDEX.fullmatch(token) and int(token) < len(found):
            found = found[int(token)]
        else:
            return None
    if isinstance(found, bool):
        return str(found).lower()
    return str(found) if isinstance(found, str | int | float) and found != "" else None
