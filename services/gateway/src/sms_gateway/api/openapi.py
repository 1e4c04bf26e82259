"""
The OpenAPI 3.1 document: schemas from the structs that validate and encode, errors from the catalogue.

FastAPI's own document would not know the hot path, nor the errors; this one is the whole interface in one place.
"""

from functools import cache
from typing import Any

import msgspec

from sms_contract.errors import CATALOGUE
from sms_contract.message import Accepted, Message
from sms_gateway.api import examples
from sms_gateway.problems import ProblemBody
from sms_gateway.schema import Account, DryRun, SendMessage

_AUTH = ("auth.missing_key", "auth.invalid_key", "auth.scope", "auth.network", "auth.throttled", "cache.unavailable", "internal")
_SEND = (
    *_AUTH,
    "client.suspended",
    "request.unsupported_media_type",
    "request.too_large",
    "request.invalid_json",
    "idempotency.invalid_key",
    "request.invalid",
    "recipient.invalid_number",
    "recipient.country_blocked",
    "sender.invalid",
    "provider.unknown",
    "provider.disabled",
    "content.too_long",
    "content.not_encodable",
    "idempotency.in_progress",
    "idempotency.key_reused",
    "rate.limited",
    "quota.exceeded",
    "route.none_available",
    "broker.unavailable",
    "broker.unconfirmed",
    "overloaded",
)
_WEBHOOKS = ("sent", "delivered", "undelivered", "failed", "rejected", "expired", "canceled", "unknown")


@cache
def document(base_url: str = "") -> dict[str, Any]:
    _, components = msgspec.json.schema_components(
        [SendMessage, Accepted, Message, DryRun, Account, ProblemBody], ref_template="#/components/schemas/{name}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "SMS gateway",
            "version": "1",
            "description": "202 means: durably queued, confirmed by the broker.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base_url or "/"}],
        "security": [{"apiKey": []}, {"bearer": []}],
        "tags": [
            {"name": "messages", "description": "Send messages and ask what became of them."},
            {"name": "account", "description": "Limits, and what is left of them."},
            {"name": "providers", "description": "What providers report to us."},
            {"name": "operations", "description": "For those who run the gateway."},
        ],
        "paths": _paths(base_url),
        "webhooks": _webhooks(),
        "components": {
            "schemas": components | _hooks_schemas(),
            "securitySchemes": {
                "apiKey": {"type": "apiKey", "in": "header", "name": "API-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
            "headers": _headers(),
        },
    }


def _paths(base_url: str) -> dict[str, Any]:
    return {
        "/v1/messages": {
            "post": {
                "operationId": "sendMessage",
                "tags": ["messages"],
                "summary": "Send one message",
                "parameters": [_IDEMPOTENCY_KEY, _REQUEST_ID, _TRACEPARENT],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": _ref("SendMessage"), "examples": examples.SEND_MESSAGE}},
                },
                "responses": {
                    "200": _json("A dry run: what would become of it.", "DryRun", examples.DRY_RUN),
                    "202": _json(
                        "Durably queued.",
                        "Accepted",
                        examples.ACCEPTED,
                        headers=("Location", "Idempotent-Replayed", "RateLimit-Policy", "RateLimit"),
                    ),
                    **_problems(base_url, _SEND),
                },
            }
        },
        "/v1/messages/{tracking_id}": {
            "get": {
                "operationId": "readMessage",
                "tags": ["messages"],
                "summary": "What became of a message",
                "parameters": [_TRACKING_ID, _REQUEST_ID],
                "responses": {
                    "200": _json("The message.", "Message", examples.MESSAGE),
                    **_problems(base_url, (*_AUTH, "message.not_found")),
                },
            }
        },
        "/v1/account": {
            "get": {
                "operationId": "readAccount",
                "tags": ["account"],
                "summary": "The client, its key and its limits",
                "parameters": [_REQUEST_ID],
                "responses": {"200": _json("The account.", "Account", examples.ACCOUNT), **_problems(base_url, _AUTH)},
            }
        },
        "/v1/callbacks/{provider}/{token}": {
            "parameters": [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in ("provider", "token")],
            **{method: _callback(base_url, method) for method in ("get", "post")},
        },
        "/healthz": _probe("readLiveness", "Whether the process lives"),
        "/readyz": _probe("readReadiness", "Whether it can accept messages; one line a dependency", unready=True),
        "/metrics": _probe("readMetrics", "Metrics in the text format of Prometheus"),
    }


def _callback(base_url: str, method: str) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{method}Callback",
        "tags": ["providers"],
        "summary": "A delivery report or an inbound message",
        "security": [],
        "responses": {
            "200": {"description": "Durably queued.", "content": {"text/plain": {"schema": {"type": "string"}}}},
            **_problems(
                base_url,
                (
                    "route.not_found",
                    "request.too_large",
                    "broker.unavailable",
                    "broker.unconfirmed",
                    "cache.unavailable",
                    "overloaded",
                    "internal",
                ),
            ),
        },
    }
    if method == "post":
        operation["requestBody"] = {"content": {"*/*": {"schema": {}}}}
    return operation


def _probe(operation: str, summary: str, *, unready: bool = False) -> dict[str, Any]:
    text = {"text/plain": {"schema": {"type": "string"}}}
    responses = {"200": {"description": "Yes." if unready else "OK.", "content": text}}
    if unready:
        responses["503"] = {"description": "No; the body says why.", "content": text}
    return {"get": {"operationId": operation, "tags": ["operations"], "summary": summary, "security": [], "responses": responses}}


def _problems(base_url: str, codes: tuple[str, ...]) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(CATALOGUE[code].status or 500, []).append(code)
    return {
        str(status): {
            "description": ", ".join(f"`{code}`" for code in members),
            "headers": {"X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"}}
            | ({"Retry-After": {"$ref": "#/components/headers/Retry-After"}} if status in {409, 429, 503} else {}),
            "content": {
                "application/problem+json": {
                    "schema": _ref("ProblemBody"),
                    "examples": {code: {"value": examples.problem(code, base_url)} for code in members},
                }
            },
        }
        for status, members in sorted(by_status.items())
    }


def _json(description: str, schema: str, example: Any, *, headers: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "description": description,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-ID", *headers)},
        "content": {"application/json": {"schema": _ref(schema), "example": example}},
    }


def _headers() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "X-Request-ID": {"description": "What the request is called in our logs; yours, if you sent a sane one.", "schema": text},
        "Location": {"description": "Where the message can be read.", "schema": text},
        "Idempotent-Replayed": {
            "description": "`true` where this is the first answer again.",
            "schema": {"type": "string", "enum": ["true"]},
        },
        "RateLimit-Policy": {"description": "The limits that are set.", "schema": text},
        "RateLimit": {"description": "What is left of the daily quota.", "schema": text},
        "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
    }


def _webhooks() -> dict[str, Any]:
    return {
        f"message.{name}": {
            "post": {
                "operationId": f"onMessage{name.title()}",
                "tags": ["messages"],
                "summary": f"A message is {name}" if name != "received" else "A message came in",
                "description": "Signed as Standard Webhooks 1.0 says. Drop what has an older `version` than you know.",
                "security": [],
                "parameters": [
                    {"name": header, "in": "header", "required": True, "schema": {"type": "string"}}
                    for header in ("webhook-id", "webhook-timestamp", "webhook-signature")
                ],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": _ref("InboundEvent" if name == "received" else "MessageEvent")}},
                },
                "responses": {"2XX": {"description": "Taken."}, "410": {"description": "Do not call this endpoint again."}},
            }
        }
        for name in (*_WEBHOOKS, "received")
    }


def _hooks_schemas() -> dict[str, Any]:
    def event(kinds: list[str], data: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["type", "timestamp", "data"],
            "properties": {
                "type": {"type": "string", "enum": kinds},
                "timestamp": {"type": "string", "format": "date-time"},
                "data": data,
            },
        }

    inbound = ("id", "from", "to", "text", "segments", "received_at", "client")
    return {
        "MessageEvent": event([f"message.{name}" for name in _WEBHOOKS], _ref("Message")),
        "InboundEvent": event(["message.received"], _ref("Inbound")),
        "Inbound": {
            "type": "object",
            "required": list(inbound),
            "properties": {name: {"type": "string"} for name in inbound} | {"segments": {"type": "integer"}},
        },
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


_TRACKING_ID = {
    "name": "tracking_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "format": "uuid"},
    "example": examples.TRACKING_ID,
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "1 to 255 visible ASCII characters, bare or as a quoted string; the same key and request get the first answer again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "example": "order-17-first-try",
}
_REQUEST_ID = {
    "name": "X-Request-ID",
    "in": "header",
    "description": "Comes back in the answer.",
    "schema": {"type": "string", "maxLength": 128},
}
_TRACEPARENT = {"name": "traceparent", "in": "header", "description": "W3C trace context, passed on.", "schema": {"type": "string"}}
