"""`privacy`: what is known of a person, taken away."""

from argparse import Namespace

from sms_backend.accounts.selectors import client_named
from sms_backend.console.actors import operator
from sms_backend.console.audit import record
from sms_backend.core.errors import InvalidError
from sms_backend.core.operator import OperatorCommand, Shown, fields
from sms_backend.messages.forgetting import forget
from sms_contract.phone import is_e164


class Command(OperatorCommand):
    """What is known of a person."""

    help = "Personal data: erase."

    def verbs(self) -> None:
        erase = self.verb("erase", self.erase, "Erase what is known of a number, in PostgreSQL and Redis; a suppression stays, unnamed.")
        erase.add_argument("number", metavar="NUMBER", help="E.164")
        erase.add_argument("--client", metavar="C", help="what this client has of it alone; name or id")

    def erase(self, arguments: Namespace) -> Shown:
        if not is_e164(arguments.number):
            raise InvalidError({"number": "give E.164, such as +447911123456"})
        client = None if arguments.client is None else client_named(arguments.client)
        counts = vars(forget(arguments.number, client_id=None if client is None else client.id))
        # Of the number nothing, not even masked: it is what was to be forgotten.
        record(operator(), "person.erased", client, changes=counts)
        return Shown(counts, *fields(counts))
