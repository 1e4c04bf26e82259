"""`message`: what happened to one."""

from argparse import Namespace
from typing import Any

from sms_backend.core.operator import OperatorCommand, Shown, fields
from sms_backend.messages import selectors, timeline

_FIELDS = ("tracking_id", "aliases", "status", "client", "to", "from", "provider", "error", "reference", "attempts", "expires_at")


class Command(OperatorCommand):
    """What happened to a message."""

    help = "Messages: show."

    def verbs(self) -> None:
        self.verb("show", self.show, "Show a message's timeline.").add_argument("tracking_id", metavar="TRACKING_ID")

    def show(self, arguments: Namespace) -> Shown:
        document = timeline.document(selectors.story_of(selectors.message_with(arguments.tracking_id.strip().lower())))
        message = {name: document["message"].get(name) for name in _FIELDS}
        return Shown(document, *fields(message), "", *(_line(event) for event in document["timeline"]))


def _line(event: dict[str, Any]) -> str:
    rest = "  ".join(f"{name}={value}" for name, value in event.items() if name not in {"at", "event"})
    return f"{event['at']}  {event['event']:<16} {rest}".rstrip()
