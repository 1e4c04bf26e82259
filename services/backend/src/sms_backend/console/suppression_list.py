"""Suppression lists as people write them: numbers, senders, CSV."""

import csv
import io
import sys
from collections.abc import Iterable, Iterator
from itertools import batched

from sms_backend.accounts import validation
from sms_backend.accounts.models import Client
from sms_backend.core.errors import InvalidError
from sms_backend.messages import suppressions
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.pseudonyms import is_pseudonym
from sms_backend.messages.view import rfc3339
from sms_contract.phone import is_e164

COLUMNS = ("client", "number", "sender", "source", "created_at")
_CHUNK = 1000


def entries(client: Client | None, limit: int | None = None) -> Iterator[dict[str, str | None]]:
    """Listed numbers, of one client or of everybody, read a thousand at a time: a list may be long."""
    after, left = ("", "", ""), sys.maxsize if limit is None else limit
    while left > 0:
        size = min(_CHUNK, left)
        with hot_cursor() as cursor:
            rows = suppressions.entries(cursor, None if client is None else client.id, after=after, limit=size)
        for row in rows:
            yield dict(zip(COLUMNS, (row.client, row.recipient, row.sender, row.source, rfc3339(row.created_at)), strict=True))
        if len(rows) < size:
            return
        left -= size
        after = rows[-1].client_id, rows[-1].recipient, rows[-1].sender


def add(client: Client, number: str, sender: str | None) -> int:
    """Returns how many were not there yet. Raises `InvalidError`."""
    with hot_cursor() as cursor:
        return suppressions.add(cursor, [(client.id, number_of(number), sender_of(sender))], source="operator")


def remove(client: Client, number: str, sender: str | None) -> int:
    """One entry, or all of a number's; returns how many went."""
    with hot_cursor() as cursor:
        return suppressions.remove_entry(cursor, client_id=client.id, recipient=number, sender=sender)


def read_in(client: Client, lines: Iterable[str]) -> tuple[int, int]:
    """
    CSV with the column `number` and, if wanted, `sender`: how many it held, and how many of them are new.

    Raises `InvalidError`, and then nothing was added.
    """
    read = added = 0
    with hot_cursor() as cursor:
        for chunk in batched(_read(client, lines), _CHUNK):
            read += len(chunk)
            added += suppressions.add(cursor, chunk, source="import")
    return read, added


def written_out(client: Client | None) -> Iterator[str]:
    """All of a client's, or everybody's, as lines of CSV."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for entry in entries(client):
        writer.writerow(entry)
        yield out.getvalue()
        out.seek(0)
        out.truncate()
    yield out.getvalue()


def number_of(text: str) -> str:
    """A number, or what has come in its place. Raises `InvalidError`."""
    if not is_e164(text) and not is_pseudonym(text):
        raise InvalidError({"number": "give E.164, such as +447911123456"})
    return text


def sender_of(text: str | None) -> str:
    """Empty: any of the client's. Raises `InvalidError`."""
    try:
        return validation.sender(text) if text else ""
    except ValueError as error:
        raise InvalidError({"sender": str(error)}) from None


def _read(client: Client, lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    reader = csv.DictReader(lines)
    if "number" not in (reader.fieldnames or ()):
        raise InvalidError({"file": "its first line does not name a column `number`"})
    for row in reader:
        try:
            yield client.id, number_of((row["number"] or "").strip()), sender_of((row.get("sender") or "").strip())
        except InvalidError:
            # Without the number itself: what is said may be kept.
            raise InvalidError({"file": f"line {reader.line_num}: not an E.164 number, or not a sender; nothing was added"}) from None
