"""`resume`: let go on what was paused."""

from argparse import Namespace

from django.core.management.base import CommandParser

from sms_backend.console import held
from sms_backend.core.operator import PlainCommand, Shown
from sms_backend.routing import pauses


class Command(PlainCommand):
    """Send again."""

    help = "Take pauses back: all of them, or those of a client, a lane, a provider. Shows what is still held."

    def options(self, parser: CommandParser) -> None:
        held.add_options(parser)

    def run(self, arguments: Namespace) -> Shown:
        return held.shown(resumed=pauses.resume(**held.named(arguments)))
