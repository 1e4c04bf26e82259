"""`/v1/history`: the list, one message with all that happened to it, a table, and what describes them."""

import threading
from collections.abc import Iterator
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import NinjaAPI, Swagger
from ninja.openapi.schema import OpenAPISchema

from sms_backend.core.errors import NotFoundError
from sms_backend.history import openapi
from sms_backend.history.auth import Reader, authenticate
from sms_backend.history.problems import Problem
from sms_backend.history.query import Filters, Listing, Nothing, cursor_of, place_of, read, search_of
from sms_backend.history.views import MessagePage, story_view, table
from sms_backend.messages.search import page
from sms_backend.messages.selectors import message_with, story_of

#: Tables that one process writes at a time: a slow reader holds a thread, and the console shares them.
TABLES = 2
_tables = threading.BoundedSemaphore(TABLES)
_encode = msgspec.json.Encoder().encode


class _History(NinjaAPI):
    def get_openapi_schema(self, **_: Any) -> OpenAPISchema:
        """Ours: made from the structs that read and answer, with every error."""
        return openapi.document()  # type: ignore[return-value]


# No badge: it would ask somebody else's server what they think of the document.
api = _History(
    title=openapi.TITLE,
    urls_namespace="history",
    auth=authenticate,
    docs=Swagger({"validatorUrl": None, "supportedSubmitMethods": ["get"]}),
)


@api.get("/messages")
def list_messages(request: HttpRequest) -> HttpResponse:
    query = read(Listing, request.GET)
    search = search_of(query, _reader(request).client_id)
    found = page(search, after=None if query.cursor is None else place_of(search, query.cursor), limit=query.limit)
    return _json(MessagePage(data=found.messages, next_cursor=None if found.last is None else cursor_of(search, found.last)))


@api.get("/messages.csv")
def list_as_table(request: HttpRequest) -> StreamingHttpResponse:
    search = search_of(read(Filters, request.GET), _reader(request).client_id)
    if not _tables.acquire(blocking=False):
        raise Problem("overloaded", "Too many tables are being written; repeat it after `Retry-After`.")
    response = StreamingHttpResponse(_Table(table(search)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="messages.csv"'
    return response


@api.get("/messages/{tracking_id}")
def read_message(request: HttpRequest, tracking_id: str) -> HttpResponse:
    read(Nothing, request.GET)
    try:
        message = message_with(tracking_id)
    except NotFoundError:
        raise Problem("message.not_found") from None
    if message.client_id != _reader(request).client_id:
        raise Problem("message.not_found")
    return _json(story_view(story_of(message)))


class _Table:
    """A table on its way; closed also when nobody has begun to read it."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._open = True

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        if self._open:
            self._open = False
            _tables.release()


def _reader(request: HttpRequest) -> Reader:
    # The router puts there what `authenticate` has returned.
    reader: Reader = request.auth  # type: ignore[attr-defined]
    return reader


def _json(content: Any) -> HttpResponse:
    return HttpResponse(_encode(content), content_type="application/json")
