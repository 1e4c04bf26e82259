"""The OpenAPI 3.1 document of the history: schemas from the structs that read and answer, errors from the catalogue."""

from functools import cache
from typing import Any, Final

import msgspec

from sms_backend.history.examples import CSV, PAGE, STORY, TRACKING_ID
from sms_backend.history.problems import Mistake, Problem, ProblemBody, body_of
from sms_backend.history.query import Filters, Listing
from sms_backend.history.views import AttemptView, MessagePage, ReportView
from sms_contract.errors import CATALOGUE
from sms_contract.message import Message

TITLE: Final = "SMS gateway: history"
_REF = "#/components/schemas/{name}"
_AUTH = ("auth.missing_key", "auth.invalid_key", "auth.scope", "auth.network", "auth.throttled", "internal", "cache.unavailable")


@cache
def document() -> dict[str, Any]:
    """The whole interface."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": TITLE,
            "version": "1",
            "description": "What became of a client's messages, for as long as they are kept. The newest first.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"apiKey": []}, {"bearer": []}],
        "tags": [{"name": "history", "description": "Look messages up."}],
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "apiKey": {"type": "apiKey", "in": "header", "name": "API-Key", "description": "A key with the scope `messages:read`."},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
            "headers": {
                "X-Request-ID": {"description": "What the request is called; yours, if you sent a sane one.", "schema": {"type": "string"}},
                "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
            },
        },
    }


def _paths() -> dict[str, Any]:
    page, story = ({"$ref": _REF.format(name=name)} for name in ("MessagePage", "MessageStory"))
    return {
        "/v1/history/messages": _get(
            "listMessages",
            "A client's messages, the newest first",
            "Follow `next_cursor` until it is null. A page may be short, even empty, where few of many have the status or provider.",
            parameters=_parameters(Listing),
            ok=_content("A page.", "application/json", page, PAGE),
            codes=(*_AUTH, "request.invalid"),
        ),
        "/v1/history/messages/{tracking_id}": _get(
            "readMessageStory",
            "A message with every attempt and report",
            "An alias of a message finds it too. A message accepted a moment ago may not be here yet.",
            parameters=[
                {
                    "name": "tracking_id",
                    "in": "path",
                    "required": True,
                    "schema": {"type": "string", "format": "uuid"},
                    "example": TRACKING_ID,
                }
            ],
            ok=_content("The message.", "application/json", story, STORY),
            codes=(*_AUTH, "message.not_found", "request.invalid"),
        ),
        "/v1/history/messages.csv": _get(
            "listMessagesAsTable",
            "A client's messages as a table",
            "All that is found, streamed; RFC 4180, with a line of names.",
            parameters=_parameters(Filters),
            ok=_content("The table.", "text/csv", {"type": "string"}, CSV),
            codes=(*_AUTH, "request.invalid", "overloaded"),
        ),
    }


def _get(
    operation: str, summary: str, description: str, *, parameters: list[dict[str, Any]], ok: dict[str, Any], codes: tuple[str, ...]
) -> dict[str, Any]:
    return {
        "get": {
            "operationId": operation,
            "tags": ["history"],
            "summary": summary,
            "description": description,
            "parameters": parameters,
            "responses": {"200": ok, **_problems(codes)},
        }
    }


def _parameters(query: type[Filters]) -> list[dict[str, Any]]:
    (_, components) = msgspec.json.schema_components([query], ref_template=_REF)
    return [
        # Empty counts as not given.
        {
            "name": name,
            "in": "query",
            "required": False,
            "allowEmptyValue": True,
            "description": schema.pop("description"),
            "schema": _given(schema),
        }
        for name, schema in components[query.__name__]["properties"].items()
    ]


def _given(schema: dict[str, Any]) -> dict[str, Any]:
    # A parameter is not given, or has a value: there is no null in a query.
    values = [value for value in schema.get("anyOf", ()) if value.get("type") != "null"]
    return values[0] if values else schema


def _content(description: str, media_type: str, schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {
        "description": description,
        "headers": {"X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"}},
        "content": {media_type: {"schema": schema, "example": example}},
    }


def _problems(codes: tuple[str, ...]) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(CATALOGUE[code].status or 500, []).append(code)
    return {
        str(status): {
            "description": ", ".join(f"`{code}`" for code in members),
            "headers": {"X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"}}
            | ({"Retry-After": {"$ref": "#/components/headers/Retry-After"}} if status in {429, 503} else {}),
            "content": {
                "application/problem+json": {
                    "schema": {"$ref": _REF.format(name="ProblemBody")},
                    "examples": {code: {"value": _example(code)} for code in members},
                }
            },
        }
        for status, members in sorted(by_status.items())
    }


def _example(code: str) -> Any:
    mistakes = [Mistake("/limit", "invalid", "Expected `int` <= 1000.")] if code == "request.invalid" else None
    return msgspec.to_builtins(body_of(Problem(code, errors=mistakes)))


def _schemas() -> dict[str, Any]:
    _, schemas = msgspec.json.schema_components([Message, MessagePage, AttemptView, ReportView, ProblemBody, Listing], ref_template=_REF)
    schemas.pop("Listing")
    message = schemas["Message"]
    several = {
        name: {"type": "array", "items": {"$ref": _REF.format(name=view)}}
        for name, view in (("attempts", "AttemptView"), ("reports", "ReportView"))
    }
    story = {
        "title": "MessageStory",
        "description": "The message, with its attempts in place of their number, and its reports.",
        "properties": message["properties"] | several,
        "required": [*message["required"], *several],
    }
    return schemas | {"MessageStory": message | story}
