"""A message's story in plain words, one entry an event: what was decided and why, what came of it, what was told to the client."""

from dataclasses import dataclass, field
from typing import Any

from sms_backend.messages import timeline
from sms_backend.messages.selectors import Story
from sms_backend.routing.selection import Because, Skipped

_BECAUSE = {
    Because.LISTED: "it is the next in the message's own list",
    Because.PRIORITY: "it has the highest priority of those that fit",
    Because.WEIGHT: "it was drawn by weight among equals",
    Because.SAME_AGAIN: "it did not answer, and recognises what it has already",
    Because.PROBE: "its circuit is open, and this call tries it out",
    Because.TEST_MODE: "a test key's messages go nowhere else",
}
_SKIPPED = {
    Skipped.UNKNOWN: "there is none of that name any more",
    Skipped.DISABLED: "it is switched off",
    Skipped.PAUSED: "what would go to it is paused",
    Skipped.TEST_ONLY: "it serves test keys alone",
    Skipped.COUNTRY: "it does not serve the country",
    Skipped.AVOIDED: "it refused this sender a short while ago",
    Skipped.CIRCUIT_OPEN: "its circuit is open",
    Skipped.TRIED: "it has had its turn in this round",
    Skipped.UNSUITABLE: "it will not take this message",
    Skipped.THROUGHPUT: "it gets as much a second as it takes",
}
#: Event to what people call it, its Material symbol, and its tone; a status that is not here is called by its name.
_EVENTS: dict[str, tuple[str, str, str]] = {
    "accepted": ("Accepted", "inbox", "plain"),
    "stored": ("Stored", "database", "plain"),
    "cancel_requested": ("Asked back", "undo", "warning"),
    "attempt": ("Attempt", "north_east", "plain"),
    "not_sent": ("Not sent: provably nothing was written", "link_off", "warning"),
    "unavailable": ("The provider did not take it", "hourglass_disabled", "warning"),
    "not_for_this_provider": ("Not for this provider", "block", "warning"),
    "misconfigured": ("Our account there is in trouble", "build", "danger"),
    "refused": ("Refused", "block", "danger"),
    "unknown": ("No clear answer", "help", "warning"),
    "report": ("Report", "south_west", "plain"),
    "webhook": ("Webhook", "webhook", "plain"),
    "refunded": ("Refunded", "payments", "plain"),
    "sent": ("Sent", "check", "good"),
    "delivered": ("Delivered", "done_all", "good"),
    "undelivered": ("Undelivered", "close", "danger"),
    "failed": ("Failed", "close", "danger"),
    "rejected": ("Rejected", "close", "danger"),
    "expired": ("Expired", "timer_off", "danger"),
    "canceled": ("Canceled", "undo", "warning"),
}
_AFTER_ATTEMPT = frozenset({"accepted"})
#: Stands elsewhere on the page, or says nothing to a person.
_UNTOLD = frozenset({"at", "event", "because", "skipped", "number", "provider", "client", "lane", "mode", "version"})


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One event, as the page draws it."""

    at: str
    title: str
    icon: str
    tone: str  #: `plain`, `good`, `warning` or `danger`
    why: str = ""
    skipped: list[tuple[str, str]] = field(default_factory=list)  #: provider, and why it was passed over
    facts: list[tuple[str, str]] = field(default_factory=list)


def entries(story: Story) -> list[Entry]:
    """In the order of time."""
    return [_entry(event, first=number == 0) for number, event in enumerate(timeline.timeline(story))]


def _entry(event: dict[str, Any], *, first: bool) -> Entry:
    kind = str(event["event"])
    title, icon, tone = _EVENTS.get(kind, (kind.replace("_", " ").capitalize(), "circle", "plain"))
    if kind in _AFTER_ATTEMPT and not first:
        title, icon, tone = "Taken by the provider", "check", "good"
    if kind == "webhook":
        arrived = "reason" not in event
        tone = "good" if arrived else "warning"
        title = f"Webhook {event.get('type', '')} {'arrived' if arrived else 'did not arrive'}"
    elif kind == "report":
        title = f"{event.get('provider', 'The provider')} reports: {event.get('status', '')}"
    elif kind == "attempt":
        title = f"Attempt {event['number']}: {event['provider']}"
    elif "provider" in event:
        title = f"{title} ({event['provider']})"
    because = event.get("because")
    skipped = event.get("skipped") or {}
    return Entry(
        at=str(event["at"]),
        title=title,
        icon=icon,
        tone=tone,
        why="" if because is None else f"Chosen because {_said(_BECAUSE, Because, because)}.",
        skipped=[(slug, _said(_SKIPPED, Skipped, why)) for slug, why in skipped.items()],
        facts=[(name.replace("_", " "), str(value)) for name, value in event.items() if name not in _UNTOLD],
    )


def _said(words: dict[Any, str], kind: Any, value: str) -> str:
    """What an older or newer version wrote is said as it stands."""
    return words[kind(value)] if value in set(kind) and kind(value) in words else value.replace("_", " ")
