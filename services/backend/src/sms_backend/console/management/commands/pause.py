"""`pause`: stop sending, not accepting."""

from argparse import Namespace

from django.core.management.base import CommandParser

from sms_backend.console import held
from sms_backend.console.actors import operator
from sms_backend.console.audit import added
from sms_backend.core.operator import PlainCommand, Shown
from sms_backend.routing import pauses


class Command(PlainCommand):
    """Stop sending."""

    help = "Hold messages back: everything, or a client's, a lane's, a provider's. Accepting goes on, and so does validity."

    def options(self, parser: CommandParser) -> None:
        held.add_options(parser)

    def run(self, arguments: Namespace) -> Shown:
        named = held.named(arguments)
        added(operator(), "sending.paused", lambda: pauses.pause(**named), document=held.changes)
        return held.shown()
