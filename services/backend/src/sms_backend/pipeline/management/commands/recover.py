"""`recover`: after PostgreSQL was restored from a backup."""

from argparse import Namespace
from dataclasses import asdict
from datetime import datetime

from django.core.management.base import CommandParser
from django.utils import timezone

from sms_backend.core.errors import InvalidError
from sms_backend.core.operator import PlainCommand, Shown, changed
from sms_backend.pipeline.recovery import recover


class Command(PlainCommand):
    """What may have been sent since a backup is not sent again."""

    help = "After a restore: what may have been sent since is held as unknown, what Redis knows is taken over, and sending is paused."

    def options(self, parser: CommandParser) -> None:
        parser.add_argument("--since", required=True, metavar="T", help="needed: when the backup was made, as 2026-11-25T03:00:00Z")
        parser.add_argument("--dry-run", action="store_true", help="only look")

    def run(self, arguments: Namespace) -> Shown:
        found = recover(_moment(arguments.since), timezone.now(), dry_run=arguments.dry_run)
        if not arguments.dry_run:
            counts = {name: value for name, value in asdict(found).items() if isinstance(value, int)}
            changed.send(type(self), action="database.recovered", changes={"since": arguments.since, **counts})
        missing = len(found.missing) + found.missing_more
        would = "to be " if arguments.dry_run else ""
        lines = (
            f"{found.held} may have been sent, and nobody knows: {would}held as `unknown`, and not sent again",
            f"{found.taken_from_redis} known to Redis, {would}taken over from there",
            f"{found.left} left as they are: due later, sent before the backup, or stored since it was restored",
            f"{found.put_back} came after the backup, and were sent: {would}put back without their text",
            f"{missing} came after the backup, and were not sent: in RabbitMQ still, or lost",
            "only looked: nothing was changed" if arguments.dry_run else "sending is paused: `resume` lets it go on",
        )
        return Shown({**asdict(found), "paused": not arguments.dry_run}, *lines)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidError({"since": f"{text!r} is no moment; write one as 2026-11-25T03:00:00Z"}) from None
    if moment.tzinfo is None:
        raise InvalidError({"since": "say in which time zone, as 2026-11-25T03:00:00Z or …+01:00"})
    return moment
