"""Endpoints and webhooks as the documents that operators' commands show."""

from typing import Any

from sms_backend.accounts.models import WebhookEndpoint
from sms_backend.messages.view import rfc3339
from sms_backend.messages.webhook_models import WebhookDelivery


def endpoint_document(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """An endpoint, without its secret."""
    return {
        "endpoint_id": endpoint.id,
        "client": endpoint.client.name,
        "url": endpoint.url,
        "types": endpoint.types,
        "state": "enabled" if endpoint.disabled_at is None else f"disabled ({endpoint.disabled_reason})",
        "failing_since": rfc3339(endpoint.failing_since),
        "disabled_at": rfc3339(endpoint.disabled_at),
        "created_at": rfc3339(endpoint.created_at),
    }


def delivery_document(delivery: WebhookDelivery) -> dict[str, Any]:
    """A webhook, without its body."""
    return {
        "webhook_id": str(delivery.id),
        "type": delivery.type,
        "tracking_id": str(delivery.message_id),
        "version": delivery.version,
        "state": delivery.state,
        "tries": delivery.tries,
        "reason": delivery.reason,
        "next_try_at": rfc3339(delivery.next_try_at),
        "created_at": rfc3339(delivery.created_at),
        "finished_at": rfc3339(delivery.finished_at),
    }
