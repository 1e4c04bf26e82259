"""`pause`: stop sending, not accepting."""

from argparse import Namespace

from django.core.management.base import CommandParser

from sms_backend.console import held
from sms_backend.core.operator import PlainCommand, Shown
from sms_backend.routing import pauses


class Command(PlainCommand):
    """Stop sending."""

    help = "Hold messages back: everything, or a client's, a lane's, a provider's. Accepting goes on, and so does validity."

    def options(self, parser: CommandParser) -> None:
        held.add_options(parser)

    def run(self, arguments: Namespace) -> Shown:
        pauses.pause(**held.named(arguments))
        return held.shown()
