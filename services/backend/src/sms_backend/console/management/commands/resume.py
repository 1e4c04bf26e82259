"""`resume`: let go on what was paused."""

from argparse import Namespace

from django.core.management.base import CommandParser
from django.db import transaction

from sms_backend.console import held
from sms_backend.console.actors import operator
from sms_backend.console.audit import record
from sms_backend.core.operator import PlainCommand, Shown
from sms_backend.routing import pauses


class Command(PlainCommand):
    """Send again."""

    help = "Take pauses back: all of them, or those of a client, a lane, a provider. Shows what is still held."

    def options(self, parser: CommandParser) -> None:
        held.add_options(parser)

    def run(self, arguments: Namespace) -> Shown:
        named = held.named(arguments)
        with transaction.atomic():
            resumed = pauses.resume(**named)
            if resumed:
                said = ", ".join(str(part) for part in named.values() if part is not None)
                record(operator(), "sending.resumed", name=said or "everything", changes={"pauses": resumed})
        return held.shown(resumed=resumed)
