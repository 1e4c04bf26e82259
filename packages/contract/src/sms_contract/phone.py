"""
Telephone numbers in E.164 (ITU-T), and senders.

A number is judged by what is *possible* for its calling code, never by what is valid: numbering plans change weekly, lengths hardly ever.
"""

import re
from collections.abc import Collection
from functools import lru_cache

from sms_contract._numbering import LENGTHS, NANP_REGIONS, REGIONS
from sms_contract.segments import is_gsm7

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_SHORT_CODE = re.compile(r"[0-9]{3,8}")
_LETTER = re.compile(r"[A-Za-z]")
_ALL_REGIONS = frozenset({*REGIONS.values(), *NANP_REGIONS.values(), "US", "KZ"})


def is_e164(number: str) -> bool:
    """`+`, no leading zero, 7 to 15 digits."""
    return _E164.fullmatch(number) is not None


def calling_code(number: str) -> str | None:
    """The country calling code of an E.164 number, without `+`; None where there is none assigned."""
    for end in (2, 3, 4):
        code = number[1:end]
        if code in LENGTHS:
            return code
    return None


def is_possible(number: str) -> bool:
    """Whether an E.164 number has a length that its calling code allows."""
    if not is_e164(number):
        return False
    code = calling_code(number)
    return code is not None and len(number) - 1 - len(code) in LENGTHS[code]


def region(number: str) -> str | None:
    """
    The ISO 3166 region of an E.164 number, for allow and deny lists.

    The regions of the North American plan, and Kazakhstan in +7, are told apart; elsewhere it is the main region of the calling code.
    """
    code = calling_code(number)
    if code is None:
        return None
    if code == "1":
        return NANP_REGIONS.get(number[2:5], "US")
    if code == "7" and number[2:3] in {"6", "7"}:
        return "KZ"
    return REGIONS.get(code)


def calling_prefixes() -> dict[str, str]:
    """Digits that a number begins with to what `region` says of it; the longest that fits counts."""
    return REGIONS | {"76": "KZ", "77": "KZ"} | {f"1{area}": home for area, home in NANP_REGIONS.items()}


def regions() -> frozenset[str]:
    """Every ISO 3166 region that `region` may answer: what an allow list can name."""
    return _ALL_REGIONS


def is_allowed(number: str, countries: Collection[str], denied: Collection[str] = ()) -> bool:
    """
    Whether a number is in one of `countries`, each an ISO region (`GB`) or a prefix (`+44`); none named: everywhere.

    One of `denied` is not allowed, whatever `countries` says.
    """
    if not countries and not denied:
        return True
    home = region(number)

    def is_in(country: str) -> bool:
        return number.startswith(country) if country.startswith("+") else country == home

    return (not countries or any(map(is_in, countries))) and not any(map(is_in, denied))


@lru_cache(maxsize=1024)  # a client has few of them, and judges one with each message
def is_sender(sender: str) -> bool:
    """E.164, a short code of 3 to 8 digits, or at most 11 GSM-7 characters with a letter among them (3GPP TS 23.040, 9.1.2.5)."""
    if sender.startswith("+"):
        return is_e164(sender)
    if _SHORT_CODE.fullmatch(sender):
        return True
    return 1 <= len(sender) <= 11 and _LETTER.search(sender) is not None and sender == sender.strip() and is_gsm7(sender)


def masked(number: str) -> str:
    """A number for logs and people who may not see it whole: `+44***456`."""
    if len(number) < 8:
        return "***"
    return f"{number[:3]}***{number[-3:]}"
