"""Numbers as whoever may not see them whole sees them: enough to recognise one that is known, too little to call it."""

from sms_contract.phone import masked

#: So that three digits at least stay hidden.
_LEAST = 13


def shown_number(number: str) -> str:
    """`+44791***3456`; of a shorter one less, of one that was erased nothing."""
    if not number.startswith("+"):
        return "no longer kept"
    return masked(number) if len(number) < _LEAST else f"{number[:6]}***{number[-4:]}"
