"""`suppression`: who wants nothing from whom."""

import csv
import io
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator
from itertools import batched
from pathlib import Path

from sms_backend.accounts import selectors, validation
from sms_backend.accounts.models import Client
from sms_backend.core.errors import InvalidError, NotFoundError
from sms_backend.core.operator import OperatorCommand, Shown, table
from sms_backend.messages import suppressions
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.pseudonyms import is_pseudonym
from sms_backend.messages.view import rfc3339
from sms_contract.phone import is_e164

_COLUMNS = ("client", "number", "sender", "source", "created_at")
_MOST = 100
_CHUNK = 1000


class Command(OperatorCommand):
    """Who wants nothing from whom."""

    help = "Suppression lists: list, add, remove, import, export."

    def verbs(self) -> None:
        listing = self.verb("list", self.list, "List suppressed numbers.")
        listing.add_argument("client", metavar="CLIENT", nargs="?", help="of this client only")
        listing.add_argument("--limit", type=int, default=_MOST, metavar="N", help=f"at most so many; default: {_MOST}")
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
        rows = list(_entries(arguments.client, limit=max(0, arguments.limit)))
        return Shown(rows, *table(rows, _COLUMNS))

    def add(self, arguments: Namespace) -> Shown:
        client = selectors.client_named(arguments.client)
        with hot_cursor() as cursor:
            added = suppressions.add(cursor, [(client.id, _number(arguments.number), _sender(arguments.sender))], source="operator")
        return Shown({"added": added}, "added" if added else "it was there already")

    def remove(self, arguments: Namespace) -> Shown:
        client = selectors.client_named(arguments.client)
        with hot_cursor() as cursor:
            removed = suppressions.remove_entry(cursor, client_id=client.id, recipient=arguments.number, sender=arguments.sender)
        if not removed:
            raise NotFoundError("there is no such entry")
        return Shown({"removed": removed}, f"{removed} removed")

    def import_(self, arguments: Namespace) -> Shown:
        client = selectors.client_named(arguments.client)
        found = list(_read(client, _text(arguments.file)))
        added = 0
        with hot_cursor() as cursor:
            for chunk in batched(found, _CHUNK):
                added += suppressions.add(cursor, chunk, source="import")
        return Shown({"read": len(found), "added": added}, f"{len(found)} read, {added} of them new")

    def export(self, arguments: Namespace) -> Shown:
        rows = list(_entries(arguments.client))
        out = io.StringIO()
        writer = csv.DictWriter(out, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return Shown(rows, out.getvalue().rstrip("\n"))


def _entries(client: str | None, limit: int | None = None) -> Iterator[dict[str, str | None]]:
    client_id = None if client is None else selectors.client_named(client).id
    with hot_cursor() as cursor:
        for row in suppressions.entries(cursor, client_id, limit=limit):
            yield dict(zip(_COLUMNS, (row.client, row.recipient, row.sender, row.source, rfc3339(row.created_at)), strict=True))


def _read(client: Client, lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    reader = csv.DictReader(lines)
    if "number" not in (reader.fieldnames or ()):
        raise InvalidError({"file": "its first line does not name a column `number`"})
    for row in reader:
        try:
            yield client.id, _number((row["number"] or "").strip()), _sender((row.get("sender") or "").strip())
        except InvalidError:
            # Without the number itself: what is said may be kept.
            raise InvalidError({"file": f"line {reader.line_num}: not an E.164 number, or not a sender; nothing was added"}) from None


def _text(source: str) -> Iterable[str]:
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidError({"file": f"{source} cannot be read: {error.strerror}"}) from error
    except UnicodeDecodeError:
        raise InvalidError({"file": "it is not UTF-8"}) from None
    return text.splitlines()


def _number(text: str) -> str:
    if not is_e164(text) and not is_pseudonym(text):
        raise InvalidError({"number": "give E.164, such as +447911123456"})
    return text


def _sender(text: str | None) -> str:
    try:
        return validation.sender(text) if text else ""
    except ValueError as error:
        raise InvalidError({"sender": str(error)}) from None
