"""`number`: whose client the messages from people are."""

from argparse import Namespace

from django.db import transaction

from sms_backend.accounts import numbers, selectors
from sms_backend.accounts.models import InboundNumber
from sms_backend.console.actors import operator
from sms_backend.console.audit import added, difference, record
from sms_backend.core.operator import OperatorCommand, Shown, fields, table
from sms_backend.messages.view import rfc3339
from sms_backend.routing.selectors import provider_named


class Command(OperatorCommand):
    """Whose client the messages from people are."""

    help = "Numbers that people write to: add, list, remove."

    def verbs(self) -> None:
        add = self.verb("add", self.add, "Give what comes to a number to a client.")
        add.add_argument("number", metavar="NUMBER", help="as the client would write it in `from`")
        add.add_argument("--client", required=True, metavar="C", help="name or id")
        add.add_argument("--provider", default="", metavar="P", help="only what this provider brings; default: any")
        listing = self.verb("list", self.list, "List numbers.")
        listing.add_argument("--client", metavar="C", help="of this client only")
        remove = self.verb("remove", self.remove, "Give what comes to a number to nobody.")
        remove.add_argument("number", metavar="NUMBER")
        remove.add_argument("--provider", default="", metavar="P", help="the entry that names this provider")

    def add(self, arguments: Namespace) -> Shown:
        if arguments.provider:
            provider_named(arguments.provider)
        client = selectors.client_named(arguments.client)
        document = _document(
            added(
                operator(),
                "number.added",
                lambda: numbers.add_number(arguments.number, client, provider=arguments.provider),
                document=_document,
            )
        )
        return Shown(document, *fields(document))

    def list(self, arguments: Namespace) -> Shown:
        found = InboundNumber.objects.select_related("client")
        if arguments.client is not None:
            found = found.filter(client=selectors.client_named(arguments.client))
        rows = [_document(number) for number in found]
        return Shown(rows, *table(rows, ("number", "client", "provider", "created_at")))

    def remove(self, arguments: Namespace) -> Shown:
        with transaction.atomic():
            numbers.remove_number(arguments.number, provider=arguments.provider)
            gone = {"number": arguments.number, "provider": arguments.provider or None}
            record(operator(), "number.removed", name=arguments.number, changes=difference(gone, {}))
        return Shown({"number": arguments.number, "removed": True}, "removed")


def _document(number: InboundNumber) -> dict[str, str | None]:
    return {
        "number": number.number,
        "client": number.client.name,
        "provider": number.provider or None,
        "created_at": rfc3339(number.created_at),
    }
