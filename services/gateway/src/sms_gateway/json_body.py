"""
JSON as a request may have it: UTF-8, and no name twice in one object, because of two values one would be silently ignored.

No fast parser looks for repeated names. But whoever has the body and what it became, written out again, need only count the colons of both:
they differ where a name is repeated, and otherwise only where a client escapes what need not be escaped. Then the body is read once more,
slowly, to be sure.
"""

import json
import re
from typing import Any, Final

import msgspec

from sms_gateway.problems import Problem

_LONE_SURROGATE: Final = re.compile(rb"(?i)\\u(?:d[89ab][0-9a-f]{2}(?!\\ud[c-f])|(?<!\\ud[89ab]..\\u)d[c-f][0-9a-f]{2})")


def parse(body: bytes) -> Any:
    """Any JSON. Raises `Problem`."""
    try:
        return msgspec.json.decode(body)
    except UnicodeDecodeError:
        raise Problem("request.invalid_json", "The body is not UTF-8.") from None
    except RecursionError:
        raise Problem("request.invalid_json", "The body is nested too deeply.") from None
    except msgspec.MsgspecError as error:
        detail = f"{error}."
        if not body.strip():
            detail = "There is no body."
        elif _LONE_SURROGATE.search(body):
            detail = "A \\u escape is half of a surrogate pair."
        raise Problem("request.invalid_json", detail) from None


def refuse_repeated(body: bytes, written: bytes) -> None:
    """Raises `Problem` where a name is repeated in a body; `written` is what it was read as, encoded."""
    if body.count(b":") != written.count(b":") or b"\\u003" in body:
        refuse_repeated_slowly(body)


def refuse_repeated_slowly(body: bytes) -> None:
    """The same, by reading the body, which must be JSON, once more."""
    try:
        # Numbers stay text: the longest would be refused.
        json.loads(body.decode(), object_pairs_hook=_once, parse_int=str, parse_float=str)
    except RecursionError:
        raise Problem("request.invalid_json", "The body is nested too deeply.") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise Problem("request.invalid_json", f"An object has `{repeated[:64]}` more than once.")
    return found
