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

BATCH_ID: Final = "0192f0c1-8000-7abc-8def-0123456789ff"
PREVIEW_TEXT: Final[dict[str, Any]] = {
    "typography": {"summary": "Quotes and dashes", "value": {"text": "It\u2019s 5 \u00b0C \u2013 brr\u2026"}}
}
PREVIEW: Final[dict[str, Any]] = {
    "segments": {"count": 1, "encoding": "ucs2", "characters": 16, "per_segment": 70},
    "non_gsm_characters": ["\u2019", "\u00b0", "\u2013", "\u2026"],
    "transliterated": "It's 5 degC - brr...",
}
CANCEL_REQUESTED: Final[dict[str, Any]] = MESSAGE | {
    "status": "queued",
    "is_final": False,
    "version": 1,
    "provider": None,
    "attempts": 0,
    "sent_at": None,
    "delivered_at": None,
    "cancel_requested": True,
}
SEND_BATCH: Final[dict[str, Any]] = {
    "one text": {
        "summary": "One text to many",
        "value": {
            "defaults": {"from": "ACME", "text": "We open at ten.", "traffic_type": "promotional"},
            "messages": [{"to": "+447911123456", "reference": "a"}, {"to": "+447911123457", "text": "You open at nine."}],
        },
    }
}
BATCH_ACCEPTED: Final[dict[str, Any]] = {
    "batch_id": BATCH_ID,
    "accepted": 1,
    "rejected": 1,
    "messages": [
        {"index": 0, "tracking_id": TRACKING_ID, "status": "accepted", "segments": _SEGMENTS},
        {
            "index": 1,
            "error": {"code": "recipient.invalid_number", "detail": "Not a possible number.", "pointer": "/messages/1/to"},
        },
    ],
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
