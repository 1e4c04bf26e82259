"""The part of the OpenAPI document that speaks of batches, previews and cancels."""

from typing import Any, Final

from sms_contract.errors import CATALOGUE
from sms_gateway.api import examples
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
from sms_gateway.schema_batches import (
    AcceptedItem,
    BatchAccepted,
    BatchCancel,
    CancelRequested,
    Preview,
    PreviewText,
    RefusedItem,
    SendBatch,
)

SCHEMAS: Final = (PreviewText, Preview, SendBatch, AcceptedItem, RefusedItem, BatchAccepted, BatchCancel, CancelRequested)

_JSON = ("request.unsupported_media_type", "request.too_large", "request.invalid_json", "request.invalid")
_CANCEL = (*AUTH, "message.not_found", "broker.unavailable", "broker.unconfirmed", "overloaded")
#: What a batch is refused for as a whole; the other codes are those of single messages in it.
_BATCH = (
    *(code for code in SEND if code in AUTH or CATALOGUE[code].status in {400, 413, 415, 429, 503}),
    "client.suspended",
    "request.invalid",
    "idempotency.in_progress",
    "idempotency.key_reused",
)


def schemas(components: dict[str, Any]) -> dict[str, Any]:
    """What the structs cannot say of themselves: items are raw until each is judged alone."""
    message = components["SendMessage"]
    fields = {name: field for name, field in message["properties"].items() if name != "dry_run"}
    item = {"type": "object", "properties": fields, "additionalProperties": False}
    batch = components["SendBatch"]["properties"]
    accepted = components["BatchAccepted"]["properties"]
    return {
        "BatchItem": {**item, "description": "The fields of a message, except `dry_run`; `to` and `text` here or in `defaults`."},
        "SendBatch": components["SendBatch"]
        | {"properties": batch | {"messages": batch["messages"] | {"items": ref("BatchItem")}, "defaults": ref("BatchItem")}},
        "BatchAccepted": components["BatchAccepted"]
        | {"properties": accepted | {"messages": {"type": "array", "items": {"oneOf": [ref("AcceptedItem"), ref("RefusedItem")]}}}},
    }


def paths(base_url: str) -> dict[str, Any]:
    return {
        "/v1/messages/preview": {
            "post": {
                "operationId": "previewMessage",
                "tags": ["messages"],
                "summary": "Count a text's segments, for nothing",
                "parameters": [REQUEST_ID],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": ref("PreviewText"), "examples": examples.PREVIEW_TEXT}},
                },
                "responses": {
                    "200": answer("What would become of it.", "Preview", examples.PREVIEW),
                    **problems(base_url, (*AUTH, *_JSON, "content.not_encodable")),
                },
            }
        },
        "/v1/messages/{tracking_id}/cancel": {
            "post": {
                "operationId": "cancelMessage",
                "tags": ["messages"],
                "summary": "Take a message back",
                "description": "It becomes `canceled` unless a provider has it by then, or may have it.",
                "parameters": [TRACKING_ID, REQUEST_ID],
                "responses": {
                    "202": answer("The cancel is durably queued.", "CancelRequested", examples.CANCEL_REQUESTED),
                    **problems(base_url, (*_CANCEL, "message.final")),
                },
            }
        },
        "/v1/batches": {
            "post": {
                "operationId": "sendBatch",
                "tags": ["batches"],
                "summary": "Send up to a thousand messages",
                "description": "Each is judged alone; those that are right are accepted together, or none is.",
                "parameters": [IDEMPOTENCY_KEY, REQUEST_ID, TRACEPARENT],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": ref("SendBatch"), "examples": examples.SEND_BATCH}},
                },
                "responses": {
                    "202": answer(
                        "Those that were accepted are durably queued.",
                        "BatchAccepted",
                        examples.BATCH_ACCEPTED,
                        headers=("Idempotent-Replayed", *LIMITS),
                        links={"cancel": link("cancelBatch", "batch_id", "Take all of them back.")},
                    ),
                    **problems(base_url, tuple(dict.fromkeys(_BATCH)), headers=LIMITS),
                },
            }
        },
        "/v1/batches/{batch_id}/cancel": {
            "post": {
                "operationId": "cancelBatch",
                "tags": ["batches"],
                "summary": "Take all messages of a batch back",
                "description": "Each becomes `canceled` unless a provider has it by then, or may have it.",
                "parameters": [TRACKING_ID | {"name": "batch_id", "example": examples.BATCH_ID}, REQUEST_ID],
                "responses": {
                    "202": answer(
                        "The cancel is durably queued.", "BatchCancel", {"batch_id": examples.BATCH_ID, "cancel_requested": True}
                    ),
                    **problems(base_url, _CANCEL),
                },
            }
        },
    }
