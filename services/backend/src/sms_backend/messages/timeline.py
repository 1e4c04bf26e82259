"""A message's story as documents: its attempts with their decisions, its reports, and all of it in the order of time."""

from datetime import datetime
from typing import Any

import msgspec

from sms_backend.messages.models import Attempt, Receipt
from sms_backend.messages.selectors import Story
from sms_backend.messages.view import message_view, rfc3339


def document(story: Story) -> dict[str, Any]:
    """Everything that is known, without the text."""
    shown: dict[str, Any] = msgspec.to_builtins(message_view(story.message, story.aliases))
    return {
        "message": shown
        | {"client": story.message.client_id, "providers": story.message.providers, "failover_on": story.message.failover_on},
        "attempts": [_attempt(attempt) for attempt in story.attempts],
        "reports": [_report(receipt) for receipt in story.receipts],
        "webhooks": _webhooks(story),
        "timeline": timeline(story),
    }


def timeline(story: Story) -> list[dict[str, Any]]:
    """One entry an event: `at`, `event`, and what belongs to it."""
    message = story.message
    events: list[tuple[datetime | None, int, str, dict[str, Any]]] = [
        (message.created_at, 0, "accepted", {"client": message.client_id, "lane": message.lane, "mode": message.mode}),
        (message.stored_at, 1, "stored", {}),
        (message.cancel_requested_at, 2, "cancel_requested", {}),
    ]
    for attempt in story.attempts:
        decision = {name: value for name, value in attempt.decision.items() if name != "chosen"}
        events.append(
            (
                attempt.started_at,
                3,
                "attempt",
                {"number": attempt.number, "provider": attempt.provider, "reference": _reference(attempt), **decision},
            )
        )
        events.append((attempt.finished_at, 4, attempt.outcome, _outcome(attempt)))
    events += [(receipt.received_at, 5, "report", _told(receipt)) for receipt in story.receipts]
    events += [(tried["at"], 8, "webhook", tried["told"]) for tried in _tries(story)]
    if message.refunded_at is not None:
        events.append((message.refunded_at, 6, "refunded", {"segments": message.charged_segments}))
    events.append((message.updated_at, 7, message.status, {"version": message.version, "error": message.error_code}))
    order = sorted(((at, rank, event, rest) for at, rank, event, rest in events if at is not None), key=lambda entry: entry[:2])
    return [
        {"at": rfc3339(at), "event": event, **{k: v for k, v in rest.items() if v not in (None, {}, [])}} for at, _, event, rest in order
    ]


def _attempt(attempt: Attempt) -> dict[str, Any]:
    error = None
    if attempt.error_code is not None:
        error = {"code": attempt.error_code, "detail": attempt.error_detail, "provider_code": attempt.error_provider_code}
    return {
        "number": attempt.number,
        "provider": attempt.provider,
        "reference": _reference(attempt),
        "outcome": attempt.outcome,
        "report": attempt.report,
        "provider_message_id": attempt.provider_message_id,
        "error": error,
        "decision": attempt.decision,
        "started_at": rfc3339(attempt.started_at),
        "finished_at": rfc3339(attempt.finished_at),
        "seconds": _seconds(attempt),
        "reported_at": rfc3339(attempt.reported_at),
    }


def _reference(attempt: Attempt) -> str:
    """What the provider was given as ours."""
    return attempt.reference or str(attempt.message_id)


def _report(receipt: Receipt) -> dict[str, Any]:
    return {"id": str(receipt.id), "received_at": rfc3339(receipt.received_at), "applied_at": rfc3339(receipt.applied_at), **_told(receipt)}


def _told(receipt: Receipt) -> dict[str, Any]:
    return {
        "attempt": receipt.attempt,
        "provider": receipt.provider,
        "provider_message_id": receipt.provider_message_id,
        "status": receipt.status,
        "code": receipt.error_code,
        "provider_code": receipt.provider_code,
        "part": f"{receipt.part}/{receipt.parts}" if receipt.parts > 1 else None,
        "occurred_at": rfc3339(receipt.occurred_at),
    }


def _webhooks(story: Story) -> list[dict[str, Any]]:
    tries = _tries(story)
    return [
        {
            "id": str(webhook.id),
            "type": webhook.type,
            "version": webhook.version,
            "endpoint": None if webhook.url is not None else webhook.target,
            "state": webhook.state,
            "reason": webhook.reason,
            "next_try_at": rfc3339(webhook.next_try_at),
            "tries": [{"at": rfc3339(one["at"]), **one["told"]} for one in tries if one["of"] == webhook.id],
        }
        for webhook in story.webhooks
    ]


def _tries(story: Story) -> list[dict[str, Any]]:
    types = {webhook.id: webhook.type for webhook in story.webhooks}
    return [
        {
            "of": one.delivery_id,
            "at": one.started_at,
            "told": {
                "type": types[one.delivery_id],
                "number": one.number,
                "status": one.status,
                "reason": one.reason,
                "seconds": round(one.seconds, 3),
            },
        }
        for one in story.webhook_tries
    ]


def _outcome(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "provider": attempt.provider,
        "provider_message_id": attempt.provider_message_id,
        "seconds": _seconds(attempt),
        "code": attempt.error_code,
        "provider_code": attempt.error_provider_code,
        "detail": attempt.error_detail,
    }


def _seconds(attempt: Attempt) -> float | None:
    if attempt.finished_at is None:
        return None
    return round((attempt.finished_at - attempt.started_at).total_seconds(), 3)
