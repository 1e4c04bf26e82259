"""`parked`: what could not be processed, and why."""

from argparse import Namespace

from django.db import transaction

from sms_backend.console.actors import operator
from sms_backend.console.audit import record
from sms_backend.core.operator import OperatorCommand, Shown, fields, row_id, rows_at_most, table
from sms_backend.messages import parked
from sms_backend.messages.models import Parked

_MOST = 100


class Command(OperatorCommand):
    """What could not be processed."""

    help = "Parked messages: list, show, replay, drop."

    def verbs(self) -> None:
        listing = self.verb("list", self.list, "List what is parked, the newest first.")
        listing.add_argument("--limit", type=rows_at_most, default=_MOST, metavar="N", help=f"at most so many; default: {_MOST}")
        self.verb("show", self.show, "Show one with its body, which holds numbers and texts.").add_argument("id", type=row_id, metavar="ID")
        self.verb("replay", self.replay, "Put it back into its queue.").add_argument("id", type=row_id, metavar="ID")
        self.verb("drop", self.drop, "Give it up, for good.").add_argument("id", type=row_id, metavar="ID")

    def list(self, arguments: Namespace) -> Shown:
        rows = [parked.document(row) for row in Parked.objects.order_by("-id")[: arguments.limit]]
        return Shown(rows, *table(rows, ("id", "queue", "parked_at", "replayed_at", "bytes", "reason")))

    def show(self, arguments: Namespace) -> Shown:
        row = parked.parked_with(arguments.id)
        record(operator(), "parked.revealed", row, name=_name(row))
        document = parked.document(row, with_body=True)
        return Shown(document, *fields(document))

    def replay(self, arguments: Namespace) -> Shown:
        row = parked.replay(parked.parked_with(arguments.id))
        record(operator(), "parked.replayed", row, name=_name(row))
        document = parked.document(row)
        return Shown(document, f"{document['id']} is in {document['queue']} again")

    def drop(self, arguments: Namespace) -> Shown:
        row = parked.parked_with(arguments.id)
        with transaction.atomic():
            record(operator(), "parked.dropped", row, name=_name(row), changes={"message_id": row.message_id})
            parked.drop(row)
        return Shown({"id": arguments.id, "dropped": True}, f"{arguments.id} is dropped")


def _name(row: Parked) -> str:
    return f"{row.queue} {row.pk}"
