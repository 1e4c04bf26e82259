"""Examples for the OpenAPI document."""

from typing import Any, Final

TRACKING_ID: Final = "0192f0c1-8000-7abc-8def-0123456789ab"
_MESSAGE: Final[dict[str, Any]] = {
    "tracking_id": TRACKING_ID,
    "aliases": [],
    "batch_id": None,
    "status": "delivered",
    "is_final": True,
    "version": 4,
    "mode": "live",
    "to": "+447911123456",
    "from": "ACME",
    "segments": {"count": 1, "encoding": "gsm7", "characters": 19},
    "reference": "order-17",
    "metadata": {},
    "traffic_type": "transactional",
    "provider": {"name": "alpha", "message_id": "SM1f"},
    "error": None,
    "attempts": 2,
    "send_at": None,
    "expires_at": "2024-11-04T07:20:33.280Z",
    "created_at": "2024-11-03T07:20:33.280Z",
    "updated_at": "2024-11-03T07:20:36.015Z",
    "sent_at": "2024-11-03T07:20:33.911Z",
    "delivered_at": "2024-11-03T07:20:35.900Z",
}
PAGE: Final = {"data": [_MESSAGE], "next_cursor": "WyIwMTkyZjBjMTgwMDA3YWJjIl0:1t7Vx2:4nq…"}
STORY: Final = _MESSAGE | {
    "attempts": [
        {
            "number": 1,
            "provider": "beta",
            "outcome": "unavailable",
            "report": None,
            "provider_message_id": None,
            "error": {"code": "provider.unavailable", "detail": "busy", "provider_code": "503"},
            "started_at": "2024-11-03T07:20:33.402Z",
            "finished_at": "2024-11-03T07:20:33.611Z",
            "reported_at": None,
        },
        {
            "number": 2,
            "provider": "alpha",
            "outcome": "accepted",
            "report": "delivered",
            "provider_message_id": "SM1f",
            "error": None,
            "started_at": "2024-11-03T07:20:33.640Z",
            "finished_at": "2024-11-03T07:20:33.911Z",
            "reported_at": "2024-11-03T07:20:36.015Z",
        },
    ],
    "reports": [
        {
            "attempt": 2,
            "provider": "alpha",
            "provider_message_id": "SM1f",
            "status": "delivered",
            "error": None,
            "part": 0,
            "parts": 1,
            "occurred_at": "2024-11-03T07:20:35.900Z",
            "received_at": "2024-11-03T07:20:35.988Z",
        }
    ],
}
CSV: Final = f"tracking_id,batch_id,status,…\r\n{TRACKING_ID},,delivered,…\r\n"
