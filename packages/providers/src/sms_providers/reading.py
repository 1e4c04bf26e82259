"""What vendors' JSON says, read without ever raising: a field of another type than documented is one that is not there."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from sms_providers.types import Callback, Part

_MIN_INTERNATIONAL = 8  #: fewer digits are a short code
_YEAR_10000 = 253_402_300_800  #: in seconds since 1970

_LONGEST_AMOUNT = 40
_MOST = Decimal(10) ** 14


def mapping(value: object) -> Mapping[str, object]:
    """An object; empty where it is none."""
    return value if isinstance(value, dict) else {}


def mappings(value: object) -> list[Mapping[str, object]]:
    """The objects in a list; empty where it is none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def word(value: object) -> str | None:
    """A text, or a number as text (vendors are free with ids and codes); None for anything else, and for nothing."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def whole(value: object) -> int | None:
    """A whole number, also one in quotes; one of more digits than anything is counted by is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18 else None


def decimal(value: object) -> Decimal | None:
    """An amount, as a number or in quotes, also below zero; None for anything else, and for what no column could hold."""
    text = word(value)
    if text is None or len(text) > _LONGEST_AMOUNT:
        return None
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() and abs(found) < _MOST else None


def moment(value: object) -> int | None:
    """A time as ISO 8601 has it, or with a blank in the middle, as ms since 1970; UTC where it names no zone."""
    if not isinstance(value, str):
        return None
    try:
        return since_1970(datetime.fromisoformat(value))
    except ValueError:
        return None


def since_1970(found: datetime) -> int | None:
    """In ms; UTC where it names no zone. None for year 1, which some write for "never", and for what no calendar has in UTC."""
    seconds = found.replace(tzinfo=found.tzinfo or UTC).timestamp()
    return int(seconds * 1000) if 0 <= seconds < _YEAR_10000 else None


def part_of(index: int | None, total: int | None) -> Part | None:
    """Which part of how many; None for one that no message has: its header has a byte for each (3GPP TS 23.040, 9.2.3.24.1)."""
    return Part(index=index, total=total) if index is not None and 1 <= index <= (total or 255) <= 255 else None


def json_of(callback: Callback) -> Mapping[str, object]:
    """The JSON object that a callback posts; empty where it posts none."""
    return mapping(callback.json_object())


def international(number: str) -> str:
    """A number as E.164, from a vendor that leaves out the `+`; short codes and names stay as they are."""
    return f"+{number}" if number.isascii() and number.isdigit() and len(number) >= _MIN_INTERNATIONAL else number
