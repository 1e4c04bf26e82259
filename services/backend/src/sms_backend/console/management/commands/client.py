"""`client`: who may send, and how much."""

import argparse
from argparse import ArgumentParser, Namespace

from sms_backend.accounts import selectors, services
from sms_backend.accounts.models import Client
from sms_backend.console.actors import operator
from sms_backend.console.audit import added, audited
from sms_backend.console.documents import client_document
from sms_backend.core.operator import OperatorCommand, Shown, fields, given, or_none, table

_SETTINGS = ("daily_quota", "rate", "burst", "time_zone", "default_sender", "senders", "countries", "denied", "on_unknown")


class Command(OperatorCommand):
    """Who may send, and how much."""

    help = "Clients: add, list, show, set, suspend, resume."

    def verbs(self) -> None:
        add = self.verb("add", self.add, "Add a client.")
        add.add_argument("name", metavar="NAME", help="1 to 100 characters; blanks within are allowed")
        _add_settings(add)
        self.verb("list", self.list, "List all clients.")
        self.verb("show", self.show, "Show one client.").add_argument("client", metavar="CLIENT", help="name or id")
        change = self.verb("set", self.set, "Change what is named; `none` takes a limit away.")
        change.add_argument("client", metavar="CLIENT", help="name or id")
        change.add_argument("--name", default=argparse.SUPPRESS, help="a new name")
        _add_settings(change)
        change.add_argument("--any-sender", dest="senders", action="store_const", const=[], default=argparse.SUPPRESS)
        change.add_argument("--any-country", dest="countries", action="store_const", const=[], default=argparse.SUPPRESS)
        change.add_argument("--no-denied", dest="denied", action="store_const", const=[], default=argparse.SUPPRESS)
        for verb, run, text in (
            ("suspend", self.suspend, "Refuse new messages and hold queued ones."),
            ("resume", self.resume, "Take messages again and let held ones go on."),
        ):
            self.verb(verb, run, text).add_argument("client", metavar="CLIENT", help="name or id")

    def add(self, arguments: Namespace) -> Shown:
        settings = given(arguments, *_SETTINGS)
        return _shown(added(operator(), "client.added", lambda: services.add_client(arguments.name, **settings), document=client_document))

    def list(self, _arguments: Namespace) -> Shown:
        rows = [client_document(client) for client in selectors.clients()]
        return Shown(rows, *table(rows, ("name", "id", "suspended", "daily_quota", "rate", "burst", "time_zone")))

    def show(self, arguments: Namespace) -> Shown:
        return _shown(selectors.client_named(arguments.client))

    def set(self, arguments: Namespace) -> Shown:
        client = selectors.client_named(arguments.client)
        with audited(operator(), "client.changed", client, document=client_document):
            services.set_client(client, **given(arguments, "name", *_SETTINGS))
        return _shown(client)

    def suspend(self, arguments: Namespace) -> Shown:
        return self._switch(arguments, "client.suspended", suspended=True)

    def resume(self, arguments: Namespace) -> Shown:
        return self._switch(arguments, "client.resumed", suspended=False)

    def _switch(self, arguments: Namespace, action: str, *, suspended: bool) -> Shown:
        client = selectors.client_named(arguments.client)
        with audited(operator(), action, client, document=client_document):
            services.suspend_client(client, suspended=suspended)
        return _shown(client)


def _shown(client: Client) -> Shown:
    document = client_document(client)
    return Shown(document, *fields(document))


def _add_settings(parser: ArgumentParser) -> None:
    absent = argparse.SUPPRESS
    parser.add_argument("--daily-quota", type=or_none(int), default=absent, metavar="N", help="segments a day")
    parser.add_argument("--rate", type=or_none(float), default=absent, metavar="N", help="messages a second")
    parser.add_argument("--burst", type=or_none(int), default=absent, metavar="N", help="messages at once; default: the rate")
    parser.add_argument("--time-zone", default=absent, metavar="TZ", help="whose midnight starts the day of the quota; default: UTC")
    parser.add_argument("--default-sender", type=or_none(str), default=absent, metavar="S", help="for messages without `from`")
    parser.add_argument("--sender", dest="senders", action="append", default=absent, metavar="S", help="an allowed one; none named: all")
    parser.add_argument(
        "--country", dest="countries", action="append", default=absent, metavar="CC", help="an allowed one, as GB or +44; none named: all"
    )
    parser.add_argument(
        "--deny-country", dest="denied", action="append", default=absent, metavar="CC", help="one that is refused, whatever is allowed"
    )
    parser.add_argument("--on-unknown", default=absent, metavar="P", help="when a provider never answered: resend (default) or hold")
