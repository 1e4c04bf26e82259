"""Messages and what happened to them, for people and for the history: read by key, never counted."""

from dataclasses import dataclass
from uuid import UUID

from sms_backend.core.errors import NotFoundError
from sms_backend.messages.models import Alias, Attempt, Message, Receipt
from sms_backend.messages.webhook_models import WebhookDelivery, WebhookTry
from sms_contract.ids import is_tracking_id


@dataclass(frozen=True, kw_only=True)
class Story:
    """A message with everything that happened to it."""

    message: Message
    aliases: list[UUID]
    attempts: list[Attempt]
    receipts: list[Receipt]
    webhooks: list[WebhookDelivery]
    webhook_tries: list[WebhookTry]


def message_with(tracking_id: str) -> Message:
    """By its tracking id, or by an alias of it. Raises `NotFoundError`."""
    if is_tracking_id(tracking_id):
        wanted = UUID(tracking_id)
        found = Message.objects.filter(id=wanted).first()
        if found is None and (alias := Alias.objects.filter(alias=wanted).first()):
            found = Message.objects.filter(id=alias.message_id).first()
        if found is not None:
            return found
    raise NotFoundError(f"there is no message {tracking_id!r} here; one accepted a moment ago may not be stored yet")


def story_of(message: Message) -> Story:
    """What happened to it, in order."""
    webhooks = list(WebhookDelivery.objects.filter(message_id=message.id).order_by("id"))
    return Story(
        message=message,
        aliases=list(Alias.objects.filter(message_id=message.id).order_by("alias").values_list("alias", flat=True)),
        attempts=list(Attempt.objects.filter(message_id=message.id).order_by("number")),
        receipts=list(Receipt.objects.filter(message_id=message.id).order_by("id")),
        webhooks=webhooks,
        webhook_tries=list(WebhookTry.objects.filter(delivery_id__in=[webhook.id for webhook in webhooks]).order_by("started_at")),
    )
