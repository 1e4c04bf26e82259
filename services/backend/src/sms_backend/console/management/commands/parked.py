"""`parked`: what could not be processed, and why."""

from argparse import Namespace

from sms_backend.core.operator import OperatorCommand, Shown, fields, table
from sms_backend.messages import parked
from sms_backend.messages.models import Parked

_MOST = 100


class Command(OperatorCommand):
    """What could not be processed."""

    help = "Parked messages: list, show, replay, drop."

    def verbs(self) -> None:
        listing = self.verb("list", self.list, "List what is parked, the newest first.")
        listing.add_argument("--limit", type=int, default=_MOST, metavar="N", help=f"at most so many; default: {_MOST}")
        self.verb("show", self.show, "Show one with its body, which holds numbers and texts.").add_argument("id", type=int, metavar="ID")
        self.verb("replay", self.replay, "Put it back into its queue.").add_argument("id", type=int, metavar="ID")
        self.verb("drop", self.drop, "Give it up, for good.").add_argument("id", type=int, metavar="ID")

    def list(self, arguments: Namespace) -> Shown:
        rows = [parked.document(row) for row in Parked.objects.order_by("-id")[: max(0, arguments.limit)]]
        return Shown(rows, *table(rows, ("id", "queue", "parked_at", "replayed_at", "bytes", "reason")))

    def show(self, arguments: Namespace) -> Shown:
        document = parked.document(parked.parked_with(arguments.id), with_body=True)
        return Shown(document, *fields(document))

    def replay(self, arguments: Namespace) -> Shown:
        document = parked.document(parked.replay(parked.parked_with(arguments.id)))
        return Shown(document, f"{document['id']} is in {document['queue']} again")

    def drop(self, arguments: Namespace) -> Shown:
        parked.drop(parked.parked_with(arguments.id))
        return Shown({"id": arguments.id, "dropped": True}, f"{arguments.id} is dropped")
