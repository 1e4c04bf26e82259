"""
The OpenAPI 3.1 document: schemas from the structs that validate and encode, errors from the catalogue.

FastAPI's own document would not know the hot path, nor the errors; this one is the whole interface in one place.
"""

from functools import cache
from typing import Any

import msgspec

from sms_contract.message import Accepted, Message
from sms_gateway.api import examples, openapi_batches
from sms_gateway.api.openapi_parts import (
    AUTH,
    IDEMPOTENCY_KEY,
    LIMITS,
    REQUEST_ID,
    SEND,
    TRACEPARENT,
    TRACKING_ID,
    answer,
    link,
    problems,
    ref,
)
from sms_gateway.problems import ProblemBody
from sms_gateway.schema import Account, DryRun, SendMessage

_WEBHOOKS = ("sent", "delivered", "undelivered", "failed", "rejected", "expired", "canceled", "unknown")


@cache
def document(base_url: str = "") -> dict[str, Any]:
    _, components = msgspec.json.schema_components(
        [SendMessage, Accepted, Message, DryRun, Account, ProblemBody, *openapi_batches.SCHEMAS], ref_template="#/components/schemas/{name}"
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
            {"name": "batches", "description": "Many messages in one request."},
            {"name": "account", "description": "Limits, and what is left of them."},
            {"name": "providers", "description": "What providers report to us."},
            {"name": "operations", "description": "For those who run the gateway."},
        ],
        "paths": _paths(base_url),
        "webhooks": _webhooks(),
        "components": {
            "schemas": components | openapi_batches.schemas(components) | _hooks_schemas(),
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
                "parameters": [IDEMPOTENCY_KEY, REQUEST_ID, TRACEPARENT],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": ref("SendMessage"), "examples": examples.SEND_MESSAGE}},
                },
                "responses": {
                    "200": answer("A dry run: what would become of it.", "DryRun", examples.DRY_RUN, headers=LIMITS),
                    "202": answer(
                        "Durably queued.",
                        "Accepted",
                        examples.ACCEPTED,
                        headers=("Location", "Idempotent-Replayed", *LIMITS),
                        links={
                            "read": link("readMessage", "tracking_id", "What became of it."),
                            "cancel": link("cancelMessage", "tracking_id", "Take it back."),
                        },
                    ),
                    **problems(base_url, SEND, headers=LIMITS),
                },
            }
        },
        "/v1/messages/{tracking_id}": {
            "get": {
                "operationId": "readMessage",
                "tags": ["messages"],
                "summary": "What became of a message",
                "parameters": [TRACKING_ID, REQUEST_ID],
                "responses": {
                    "200": answer("The message.", "Message", examples.MESSAGE),
                    **problems(base_url, (*AUTH, "message.not_found")),
                },
            }
        },
        **openapi_batches.paths(base_url),
        "/v1/account": {
            "get": {
                "operationId": "readAccount",
                "tags": ["account"],
                "summary": "The client, its key and its limits",
                "parameters": [REQUEST_ID],
                "responses": {"200": answer("The account.", "Account", examples.ACCOUNT), **problems(base_url, AUTH)},
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
            **problems(
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
                    "content": {"application/json": {"schema": ref("InboundEvent" if name == "received" else "MessageEvent")}},
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
        "MessageEvent": event([f"message.{name}" for name in _WEBHOOKS], ref("Message")),
        "InboundEvent": event(["message.received"], ref("Inbound")),
        "Inbound": {
            "type": "object",
            "required": list(inbound),
            "properties": {name: {"type": "string"} for name in inbound} | {"segments": {"type": "integer"}},
        },
    }
