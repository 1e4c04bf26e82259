"""What a client or a key may be given, in words that say how to mend it."""

import ipaddress
import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import available_timezones

from sms_contract.phone import is_sender, regions
from sms_contract.status import Mode, OnUnknown

SCOPES = ("messages:send", "messages:read", "account:read")

_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,100}")
_PREFIX = re.compile(r"\+[1-9][0-9]{0,6}")
_DURATION = re.compile(r"([1-9][0-9]{0,5})([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
#: Beyond any use, and within what a calendar can add.
_LONGEST = timedelta(days=36525)
#: PostgreSQL's `integer`.
_MOST = 2**31 - 1


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def name(value: str) -> str:
    """1 to 100 characters without controls, and no space at its ends."""
    if not _NAME.fullmatch(value) or value != value.strip():
        raise ValueError("give 1 to 100 characters, without control characters and without spaces around them")
    return value


def time_zone(value: str) -> str:
    """A name of the IANA database."""
    if value not in _time_zones():
        raise ValueError(f"{value!r} is no time zone; give an IANA name such as Europe/London")
    return value


def sender(value: str) -> str:
    """What may stand in `from`."""
    if not is_sender(value):
        raise ValueError(f"{value!r} is no sender; give E.164, a short code of 3 to 8 digits, or up to 11 GSM characters with a letter")
    return value


def senders(values: Iterable[str]) -> list[str]:
    """Each once, in the order given."""
    return list(dict.fromkeys(sender(value) for value in values))


def countries(values: Iterable[str]) -> list[str]:
    """ISO regions, or prefixes of E.164 numbers."""
    found = [value if value.startswith("+") else value.upper() for value in values]
    for value in found:
        known = _PREFIX.fullmatch(value) if value.startswith("+") else value in regions()
        if not known:
            raise ValueError(f"{value!r} is no country; give an ISO code such as GB, or a prefix such as +44")
    return list(dict.fromkeys(found))


def positive(value: float) -> float:
    """A rate: above zero, and a number."""
    if not math.isfinite(value) or value < 0.001:
        raise ValueError("give a number of at least 0.001")
    return value


def whole(least: int, value: int) -> int:
    """A count that PostgreSQL can hold."""
    if not least <= value <= _MOST:
        raise ValueError(f"give a whole number from {least} to {_MOST}")
    return value


def scopes(values: Iterable[str]) -> list[str]:
    """None named: all."""
    found = set(values)
    unknown = found.difference(SCOPES)
    if unknown:
        raise ValueError(f"{min(unknown)!r} is no scope; there are {', '.join(SCOPES)}")
    return [scope for scope in SCOPES if scope in found or not found]


def networks(values: Iterable[str]) -> list[str]:
    """CIDR, IPv4 or IPv6; a single address is a network of one."""
    found: list[str] = []
    for value in values:
        try:
            found.append(str(ipaddress.ip_network(value)))
        except ValueError as error:
            raise ValueError(f"{value!r} is no network; give CIDR such as 192.0.2.0/24 ({error})") from None
    return list(dict.fromkeys(found))


def expiry(value: str | datetime | None, now: datetime) -> datetime | None:
    """A moment ahead: RFC 3339, or a duration from now such as `30d`."""
    if value is None or isinstance(value, datetime):
        moment = value
    elif _DURATION.fullmatch(value):
        moment = now + duration(value)
    else:
        moment = _rfc3339(value)
    if moment is not None and not now < moment < now + _LONGEST:
        raise ValueError("give a moment that is still to come, within a hundred years")
    return moment


def duration(value: str) -> timedelta:
    """A number and a unit, such as `30d`."""
    found = _DURATION.fullmatch(value)
    if found is None:
        raise ValueError(f"{value!r} is no duration; give a number and s, m, h, d or w, such as 30d")
    span = timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    if span > _LONGEST:
        raise ValueError(f"{value!r} is too long; give a hundred years at most")
    return span


def mode(value: str) -> str:
    """Live or test."""
    if value not in set(Mode):
        raise ValueError(f"{value!r} is no mode; give live or test")
    return value


def on_unknown(value: str) -> str:
    """What to do when a provider never answered."""
    if value not in set(OnUnknown):
        raise ValueError(f"{value!r} is no policy; give resend or hold")
    return value


def _rfc3339(value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value!r} is no time; give RFC 3339 such as 2030-01-31T00:00:00Z, or a duration such as 30d") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
