"""`suppression`: who wants nothing from whom."""

import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from sms_backend.accounts import selectors
from sms_backend.accounts.models import Client
from sms_backend.console import suppression_list
from sms_backend.console.actors import operator
from sms_backend.console.audit import record
from sms_backend.core.errors import InvalidError, NotFoundError
from sms_backend.core.operator import OperatorCommand, Shown, Streamed, rows_at_most, table
from sms_contract.phone import masked

_MOST = 100


class Command(OperatorCommand):
    """Who wants nothing from whom."""

    help = "Suppression lists: list, add, remove, import, export."

    def verbs(self) -> None:
        listing = self.verb("list", self.list, "List suppressed numbers.")
        listing.add_argument("client", metavar="CLIENT", nargs="?", help="of this client only")
        listing.add_argument("--limit", type=rows_at_most, default=_MOST, metavar="N", help=f"at most so many; default: {_MOST}")
        for verb, run, text, sender in (
            ("add", self.add, "Send nothing to a number any more.", "from this sender only; default: from any of the client's"),
            ("remove", self.remove, "Send to a number again.", "the entry of this sender only; default: all of the number's"),
        ):
            parser = self.verb(verb, run, text)
            parser.add_argument("client", metavar="CLIENT", help="name or id")
            parser.add_argument("number", metavar="NUMBER", help="E.164")
            parser.add_argument("--sender", metavar="S", help=sender)
        importing = self.verb("import", self.import_, "Add numbers from CSV with the columns `number` and, if wanted, `sender`.")
        importing.add_argument("client", metavar="CLIENT", help="name or id")
        importing.add_argument("file", metavar="FILE|-", help="a file, or - for stdin")
        export = self.verb("export", self.export, "Write all of a client's, or everybody's, as CSV.")
        export.add_argument("client", metavar="CLIENT", nargs="?", help="of this client only")

    def list(self, arguments: Namespace) -> Shown:
        rows = list(suppression_list.entries(_client(arguments.client), limit=arguments.limit))
        return Shown(rows, *table(rows, suppression_list.COLUMNS))

    def add(self, arguments: Namespace) -> Shown:
        client = selectors.client_named(arguments.client)
        added = suppression_list.add(client, arguments.number, arguments.sender)
        if added:
            record(operator(), "suppression.added", client, changes=_told(arguments))
        return Shown({"added": added}, "added" if added else "it was there already")

    def remove(self, arguments: Namespace) -> Shown:
        client = selectors.client_named(arguments.client)
        removed = suppression_list.remove(client, arguments.number, arguments.sender)
        if not removed:
            raise NotFoundError("there is no such entry")
        record(operator(), "suppression.removed", client, changes=_told(arguments) | {"entries": removed})
        return Shown({"removed": removed}, f"{removed} removed")

    def import_(self, arguments: Namespace) -> Shown:
        client = selectors.client_named(arguments.client)
        with _opened(arguments.file) as lines:
            read, added = suppression_list.read_in(client, lines)
        record(operator(), "suppressions.imported", client, changes={"read": read, "added": added})
        return Shown({"read": read, "added": added}, f"{read} read, {added} of them new")

    def export(self, arguments: Namespace) -> Shown:
        client = _client(arguments.client)
        record(operator(), "suppressions.exported", client)
        return Streamed(lambda: suppression_list.entries(client), lambda: suppression_list.written_out(client))


def _told(arguments: Namespace) -> dict[str, str | None]:
    return {"number": masked(arguments.number), "sender": arguments.sender}


def _client(name: str | None) -> Client | None:
    return None if name is None else selectors.client_named(name)


@contextmanager
def _opened(source: str) -> Iterator[Iterable[str]]:
    """Its lines, as they are read: a list may be long."""
    try:
        with nullcontext(sys.stdin) if source == "-" else Path(source).open(encoding="utf-8-sig", newline="") as file:
            yield file
    except OSError as error:
        raise InvalidError({"file": f"{source} cannot be read: {error.strerror}"}) from error
    except UnicodeDecodeError:
        raise InvalidError({"file": "it is not UTF-8; nothing was added"}) from None
