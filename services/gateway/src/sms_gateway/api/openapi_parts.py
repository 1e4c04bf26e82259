"""What the parts of the OpenAPI document share."""

from typing import Any

from sms_contract.errors import CATALOGUE
from sms_gateway.api import examples

AUTH = ("auth.missing_key", "auth.invalid_key", "auth.scope", "auth.network", "auth.throttled", "cache.unavailable", "internal")
SEND = (
    *AUTH,
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


#: An `Idempotency-Key`: bare, or a quoted string with two escapes.
_KEY = r'^(?:[!#-~][!-~]*|"(?:[!#-\[\]-~]|\\["\\])+")$'
#: On every answer to a send, once it is known who sends.
LIMITS = ("RateLimit-Policy", "RateLimit")


def problems(base_url: str, codes: tuple[str, ...], *, headers: tuple[str, ...] = ()) -> dict[str, Any]:
    """The answers that refuse; `headers`: those of the good answer that they have too."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(CATALOGUE[code].status or 500, []).append(code)
    return {
        str(status): {
            "description": ", ".join(f"`{code}`" for code in members),
            "headers": {
                name: {"$ref": f"#/components/headers/{name}"}
                for name in ("X-Request-ID", *(("Retry-After",) if status in {409, 429, 503} else ()), *(headers if status != 401 else ()))
            },
            "content": {
                "application/problem+json": {
                    "schema": ref("ProblemBody"),
                    "examples": {code: {"value": examples.problem(code, base_url)} for code in members},
                }
            },
        }
        for status, members in sorted(by_status.items())
    }


def answer(
    description: str, schema: str, example: Any, *, headers: tuple[str, ...] = (), links: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "description": description,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-ID", *headers)},
        "content": {"application/json": {"schema": ref(schema), "example": example}},
        **({"links": links} if links else {}),
    }


def link(operation: str, parameter: str, description: str) -> dict[str, Any]:
    """What may be done next with an id of the answer."""
    return {"operationId": operation, "parameters": {parameter: f"$response.body#/{parameter}"}, "description": description}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


TRACKING_ID = {
    "name": "tracking_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "format": "uuid"},
    "example": examples.TRACKING_ID,
}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "1 to 255 visible ASCII characters, bare or as a quoted string; the same key and request get the first answer again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": _KEY},
    "example": "order-17-first-try",
}
REQUEST_ID = {
    "name": "X-Request-ID",
    "in": "header",
    "description": "Comes back in the answer, if it has 1 to 128 of `A-Z a-z 0-9 . _ ~ : / + = @ -`; else the answer has one of ours.",
    "schema": {"type": "string"},
}
TRACEPARENT = {"name": "traceparent", "in": "header", "description": "W3C trace context, passed on.", "schema": {"type": "string"}}
