"""Delivery reports as bits, as Kannel writes them, and Magfa after it."""

from typing import Final

from sms_contract.status import Status
from sms_providers.types import Receipt

STATUSES: Final[dict[str, Status]] = {
    "1": Status.DELIVERED,
    "2": Status.UNDELIVERED,
    "4": Status.SENT,  # buffered at the carrier
    "8": Status.SENT,  # the carrier has it
    "16": Status.UNDELIVERED,  # the carrier would not have it
}
CODES: Final[dict[str, str]] = {"2": "recipient.unreachable", "16": "provider.unavailable"}


def receipt(
    word: str,
    *,
    message_id: str | None = None,
    provider_code: str | None = None,
    occurred_at: int | None = None,
) -> Receipt:
    """What a report says."""
    return Receipt(
        status=STATUSES.get(word, Status.UNKNOWN),
        message_id=message_id,
        code=CODES.get(word),
        provider_status=word,
        provider_code=provider_code,
        occurred_at=occurred_at,
        recognised=word in STATUSES,
    )
