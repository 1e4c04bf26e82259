"""Messages as a file for a spreadsheet, a piece at a time; without texts, and without whole numbers unless they are asked for."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from sms_backend.accounts.models import Client
from sms_backend.console.masking import shown_number
from sms_backend.messages.lookup import Lookup, page
from sms_backend.messages.models import Message
from sms_backend.messages.view import rfc3339

COLUMNS = (
    *("tracking_id", "client", "mode", "traffic_type", "status", "to", "from", "segments", "encoding", "reference", "provider"),
    *("provider_message_id", "error_code", "error_detail", "attempts", "created_at", "sent_at", "delivered_at", "updated_at"),
)
#: Messages that one query fetches.
_AT_ONCE = 1000
#: What a spreadsheet would take for a formula. Source: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def rows(lookup: Lookup, *, whole: bool) -> Iterator[bytes]:
    """The head, then all that is found, newest first."""
    yield _written([COLUMNS])
    names = dict(Client.objects.values_list("id", "name"))
    before: UUID | None = None
    while True:
        found = page(lookup, before=before, limit=_AT_ONCE)
        known = Message.objects.in_bulk(found.ids)
        messages = [known[each] for each in found.ids if each in known]
        if messages:
            yield _written(_row(message, names, whole=whole) for message in messages)
        if found.before is None:
            return
        before = found.before


def _row(message: Message, names: dict[str, str], *, whole: bool) -> tuple[Any, ...]:
    return (
        *(message.id, _plain(names.get(message.client_id, message.client_id)), message.mode, message.lane, message.status),
        *(message.recipient if whole else shown_number(message.recipient), message.sender, message.segments, message.encoding),
        *(_plain(message.reference), message.provider, message.provider_message_id, message.error_code, _plain(message.error_detail)),
        *(message.attempts, rfc3339(message.created_at), rfc3339(message.sent_at), rfc3339(message.delivered_at)),
        rfc3339(message.updated_at),
    )


def _plain(text: str | None) -> str | None:
    """What somebody else wrote is never a formula."""
    return f"'{text}" if text is not None and text.startswith(_FORMULA) else text


def _written(lines: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()
