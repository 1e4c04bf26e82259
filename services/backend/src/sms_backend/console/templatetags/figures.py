"""How figures are written."""

from django import template

register = template.Library()
_NOTHING = "–"
_MINUTE, _HOUR = 60, 3600


@register.filter
def percent(share: float | None) -> str:
    """`98.5 %`; nothing is a dash."""
    return _NOTHING if share is None else f"{share:.1%}".replace("%", " %")


@register.filter
def seconds(value: float | None) -> str:
    """`340 ms`, `2.1 s`, `4 min`, `3 h`."""
    if value is None:
        return _NOTHING
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < _MINUTE:
        return f"{value:.1f} s"
    return f"{value / _MINUTE:.0f} min" if value < _HOUR else f"{value / _HOUR:.0f} h"


@register.filter
def whole(value: int) -> str:
    """With a space at each thousand that no line breaks at."""
    return f"{value:,}".replace(",", "\N{NO-BREAK SPACE}")
