"""What the console's templates say in the same way."""

from datetime import UTC, datetime
from typing import Any

from django import template

from sms_backend.console.labels import STATUS_COLOURS

register = template.Library()


@register.inclusion_tag("unfold/helpers/label.html")
def status_label(status: str) -> dict[str, Any]:
    """A message's status as a label."""
    return {"text": status, "type": STATUS_COLOURS.get(status, "default")}  # type: ignore[call-overload]


@register.inclusion_tag("console/usage.html")
def usage(used: int, limit: int | None) -> dict[str, Any]:
    """How much of a day's quota is used, in words and as a bar; without a quota in words alone."""
    share = None if not limit else min(100, round(100 * used / limit))
    tone = "danger" if share is not None and share >= 100 else "warning" if share is not None and share >= 80 else "plain"
    return {"used": f"{used:,}", "limit": None if limit is None else f"{limit:,}", "share": share, "tone": tone}


@register.filter
def readable(moment: str | None) -> str:
    """A moment of one of our documents, as people read it on every other page."""
    if not moment:
        return ""
    found = datetime.fromisoformat(moment).astimezone(UTC).replace(tzinfo=None)
    return f"{found.isoformat(sep=' ', timespec='milliseconds')} UTC"
