"""One message to one provider, by hand, past every queue: does this account work? Nothing is stored."""

import asyncio
import time
from typing import Any

from sms_backend.core.crypto import unseal
from sms_backend.core.errors import InvalidError
from sms_backend.routing.models import Provider
from sms_contract.ids import uuid7
from sms_contract.phone import is_possible, is_sender
from sms_contract.segments import measure
from sms_providers.registry import build
from sms_providers.sending import Job, Result, send_many
from sms_providers.transport import Transport
from sms_providers.types import OutboundSms

TEXT = "A test message from your SMS gateway."


def send_trial(provider: Provider, *, to: str, sender: str | None = None, text: str = TEXT) -> dict[str, Any]:
    """What the provider answered. Raises `InvalidError`."""
    if not is_possible(to):
        raise InvalidError({"to": "it is no possible number; give E.164 such as +447911123456"})
    if sender is not None and not is_sender(sender):
        raise InvalidError({"sender": f"{sender!r} is no sender"})
    segments = measure(text)
    tracking_id = uuid7(time.time_ns() // 1_000_000)
    sms = OutboundSms(
        tracking_id=tracking_id,
        attempt=1,
        reference=tracking_id,
        to=to,
        text=text,
        sender=sender,
        encoding=segments.encoding,
        segments=segments.count,
    )
    adapter = build(provider.adapter, unseal(provider.config), account=provider.slug)
    return _document(provider, asyncio.run(_send(Job(provider=adapter, sms=sms))))


async def _send(job: Job) -> Result:
    async with Transport() as transport:
        (result,) = await send_many([job], transport)
    return result


def _document(provider: Provider, result: Result) -> dict[str, Any]:
    error = result.error
    return {
        "provider": provider.slug,
        "outcome": result.outcome.value,
        "provider_message_id": result.accepted.message_id if result.accepted else None,
        "seconds": round(result.seconds, 3),
        "error": {"code": error.code, "detail": error.detail, "provider_code": error.provider_code} if error else None,
    }
