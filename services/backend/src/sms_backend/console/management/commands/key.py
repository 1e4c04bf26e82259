"""`key`: what clients authenticate with."""

from argparse import Namespace
from typing import Any

from django.db import transaction
from django.utils import timezone

from sms_backend.accounts import selectors, services
from sms_backend.accounts.models import ApiKey
from sms_backend.console.actors import operator
from sms_backend.console.audit import audited, difference, record
from sms_backend.console.documents import key_document
from sms_backend.core.operator import OperatorCommand, Shown, fields, table


class Command(OperatorCommand):
    """What clients authenticate with."""

    help = "API keys: add, list, revoke."

    def verbs(self) -> None:
        add = self.verb("add", self.add, "Issue a key; it is shown once.")
        add.add_argument("client", metavar="CLIENT", help="name or id")
        add.add_argument("--mode", choices=("live", "test"), default="live", help="default: live")
        add.add_argument(
            "--scope", action="append", default=[], metavar="S", help="messages:send, messages:read, account:read; default: all"
        )
        add.add_argument("--expires", metavar="T", help="RFC 3339, or a duration such as 30d; default: never")
        add.add_argument("--network", action="append", default=[], metavar="CIDR", help="from where it may be used; default: anywhere")
        self.verb("list", self.list, "List keys.").add_argument("client", metavar="CLIENT", nargs="?", help="of this client only")
        self.verb("revoke", self.revoke, "End a key.").add_argument("key_id", metavar="KEY_ID")

    def add(self, arguments: Namespace) -> Shown:
        client = selectors.client_named(arguments.client)
        with transaction.atomic():
            issued = services.issue_key(
                client, mode=arguments.mode, scopes=arguments.scope, expires=arguments.expires, networks=arguments.network
            )
            record(operator(), "key.added", issued.key, changes=difference({}, _document(issued.key)))
        return Shown(
            {"key_id": issued.key.id, "key": issued.text},
            f"key id  {issued.key.id}",
            f"key     {issued.text}",
            "It is not shown again.",
        )

    def list(self, arguments: Namespace) -> Shown:
        client = None if arguments.client is None else selectors.client_named(arguments.client)
        now = timezone.now()
        rows = [key_document(key, now) for key in selectors.keys(client)]
        return Shown(rows, *table(rows, ("key_id", "client", "mode", "state", "scopes", "networks", "expires_at")))

    def revoke(self, arguments: Namespace) -> Shown:
        key = selectors.key_with(arguments.key_id)
        with audited(operator(), "key.revoked", key, document=_document):
            services.revoke_key(key)
        document = _document(key)
        return Shown(document, *fields(document))


def _document(key: ApiKey) -> dict[str, Any]:
    return key_document(key, timezone.now())
