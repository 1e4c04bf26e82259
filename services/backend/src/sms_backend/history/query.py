"""
The parameters of a search: strictly checked, all that is wrong said at once.

A cursor is signed and bound to the client and the filters that it was made for: what comes back is what was handed out.
"""

import hashlib
import re
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from django.core import signing
from django.http import QueryDict
from msgspec import Meta

from sms_backend.history.problems import Mistake, Problem
from sms_backend.messages.search import Search
from sms_contract.status import Status

LIMIT = 100
MAX_LIMIT = 1000
_TRACKING_ID = "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
_MOMENT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$"
_NUMBER = re.compile(r"-?[0-9]{1,9}")
_SALT = "history.cursor"

Moment = Annotated[str, Meta(pattern=_MOMENT, extra_json_schema={"format": "date-time"})]


class Nothing(msgspec.Struct):
    """No parameter."""


class Filters(msgspec.Struct, kw_only=True):
    """What a search can be narrowed by."""

    status: Annotated[Status | None, Meta(description="Messages that are so now.")] = None
    to: Annotated[
        Annotated[str, Meta(pattern=r"^\+[0-9]{7,15}$", examples=["+447911123456"])] | None, Meta(description="The recipient, in E.164.")
    ] = None
    reference: Annotated[
        Annotated[str, Meta(max_length=128, pattern=r"^[^\x00]*$")] | None, Meta(description="The client's own id of the message.")
    ] = None
    batch_id: Annotated[Annotated[str, Meta(pattern=_TRACKING_ID)] | None, Meta(description="The batch it was sent with.")] = None
    provider: Annotated[Annotated[str, Meta(pattern="^[a-z0-9-]{1,40}$")] | None, Meta(description="Who has it, or had it last.")] = None
    since: Annotated[Moment | None, Meta(description="Accepted at this moment or later; RFC 3339.")] = None
    until: Annotated[Moment | None, Meta(description="Accepted before this moment; RFC 3339.")] = None


class Listing(Filters, kw_only=True):
    """What a page of a list is asked for by."""

    limit: Annotated[Annotated[int, Meta(ge=1, le=MAX_LIMIT)], Meta(description="Messages on a page, at most.")] = LIMIT
    cursor: Annotated[Annotated[str, Meta(max_length=200)] | None, Meta(description="`next_cursor` of the page before.")] = None


def read[Query: Nothing | Filters](query: type[Query], given: QueryDict) -> Query:
    """What was asked for; an empty parameter counts as none. Raises `Problem`."""
    fields = {field.name: field.type for field in msgspec.structs.fields(query)}
    values: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for name, texts in given.lists():
        pointer = f"/{name.replace('~', '~0').replace('/', '~1')}"
        if name not in fields:
            mistakes.append(Mistake(pointer, "unknown", "There is no such parameter."))
        elif len(texts) > 1:
            mistakes.append(Mistake(pointer, "repeated", "This parameter may be given once."))
        elif text := _unspaced(name, str(texts[0])):
            try:
                values[name] = msgspec.convert(int(text) if name == "limit" and _NUMBER.fullmatch(text) else text, fields[name])
                if name in {"since", "until"}:
                    _moment(text)
            except (msgspec.ValidationError, ValueError, OverflowError) as error:
                mistakes.append(Mistake(pointer, "invalid", _words(error)))
    if mistakes:
        raise Problem("request.invalid", errors=mistakes)
    return query(**values)


def search_of(filters: Filters, client_id: str) -> Search:
    """The same, for the selector."""
    return Search(
        client_id=client_id,
        status=filters.status,
        to=filters.to,
        reference=filters.reference,
        batch_id=None if filters.batch_id is None else UUID(filters.batch_id),
        provider=filters.provider,
        since=None if filters.since is None else _moment(filters.since),
        until=None if filters.until is None else _moment(filters.until),
    )


def cursor_of(search: Search, last: UUID) -> str:
    """Where the page after this one begins, as text that only we can make."""
    return signing.dumps([last.hex, _digest(search)], salt=_SALT)


def place_of(search: Search, cursor: str) -> UUID:
    """What a cursor says. Raises `Problem`."""
    try:
        last, digest = signing.loads(cursor, salt=_SALT)
    except signing.BadSignature:
        raise Problem("request.invalid", errors=[Mistake("/cursor", "invalid", "This is not a cursor that was handed out.")]) from None
    if digest != _digest(search):
        raise Problem("request.invalid", errors=[Mistake("/cursor", "invalid", "This cursor was handed out for another search.")])
    return UUID(last)


def _digest(search: Search) -> str:
    return hashlib.sha256(repr(search).encode()).hexdigest()[:16]


def _unspaced(name: str, text: str) -> str:
    # A `+` that was not written as %2B arrives as a space, which neither a number nor a time can hold.
    return text.replace(" ", "+") if name in {"to", "since", "until"} else text


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _words(error: Exception) -> str:
    # What msgspec says names the type; what the standard library says may quote the value.
    if not isinstance(error, msgspec.ValidationError):
        return "This is not a moment in RFC 3339."
    return re.sub(r" - at `.*", "", str(error)) + "."
