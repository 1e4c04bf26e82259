"""Examples for the OpenAPI document."""

from typing import Any, Final

from sms_contract.errors import CATALOGUE

TRACKING_ID: Final = "0192f0c1-8000-7abc-8def-0123456789ab"

_CREATED = "2024-11-03T07:20:33.280Z"
_SEGMENTS = {"count": 1, "encoding": "gsm7", "characters": 19}

SEND_MESSAGE: Final[dict[str, Any]] = {
    "least": {"summary": "As little as possible", "value": {"to": "+447911123456", "text": "Your code is 123456"}},
    "otp": {
        "summary": "A one-time password",
        "value": {"to": "+447911123456", "from": "ACME", "text": "Your code is 123456", "traffic_type": "otp", "reference": "login-42"},
    },
    "scheduled": {
        "summary": "Later, by a certain provider",
        "value": {
            "to": "+447911123456",
            "text": "Your table is booked for 20:00",
            "providers": ["alpha", "beta"],
            "send_at": "2030-01-01T18:00:00Z",
            "validity_period": 3600,
            "metadata": {"booking": "17"},
        },
    },
}
ACCEPTED: Final[dict[str, Any]] = {
    "tracking_id": TRACKING_ID,
    "status": "accepted",
    "is_final": False,
    "version": 0,
    "mode": "live",
    "to": "+447911123456",
    "from": "ACME",
    "segments": _SEGMENTS,
    "reference": "order-17",
    "metadata": {},
    "created_at": _CREATED,
}
MESSAGE: Final[dict[str, Any]] = ACCEPTED | {
    "aliases": [],
    "batch_id": None,
    "status": "delivered",
    "is_final": True,
    "version": 4,
    "traffic_type": "transactional",
    "provider": {"name": "alpha", "message_id": "SM1f"},
    "error": None,
    "attempts": 1,
    "send_at": None,
    "expires_at": "2024-11-04T07:20:33.280Z",
    "updated_at": "2024-11-03T07:20:36.015Z",
    "sent_at": "2024-11-03T07:20:33.911Z",
    "delivered_at": "2024-11-03T07:20:35.900Z",
}
DRY_RUN: Final[dict[str, Any]] = {"to": "+447911123456", "from": "ACME", "segments": _SEGMENTS, "providers": ["alpha", "beta"]}
ACCOUNT: Final[dict[str, Any]] = {
    "client": {"id": "c0ffee123456", "name": "ACME"},
    "key": {"id": "k3y1d0", "mode": "live", "scopes": ["account:read", "messages:read", "messages:send"], "expires_at": None},
    "quota": {"daily_limit": 10000, "used": 17, "remaining": 9983, "resets_at": "2024-11-04T00:00:00.000Z"},
    "rate_limit": {"per_second": 50.0, "burst": 100},
    "providers": ["alpha", "beta"],
}


def problem(code: str, base_url: str) -> dict[str, Any]:
    entry = CATALOGUE[code]
    body: dict[str, Any] = {
        "type": entry.type(base_url),
        "title": entry.title,
        "status": entry.status,
        "detail": entry.action,
        "code": code,
        "retryable": entry.retryable,
    }
    if code == "request.invalid":
        body["errors"] = [{"pointer": "/text", "code": "required", "detail": "This field is required."}]
    if code == "broker.unconfirmed":
        body["tracking_id"] = TRACKING_ID
    return body
