"""Raw callbacks, verified and read by their account's adapter."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import structlog

from sms_backend.messages.inbound import Arrived
from sms_backend.messages.parts import Place
from sms_backend.pipeline.adapters import adapters
from sms_backend.pipeline.callback_urls import account_url, attempt_of
from sms_contract.ids import is_tracking_id
from sms_providers.types import Callback, Inbound, Receipt, Verification

log = structlog.get_logger()


@dataclass(kw_only=True, slots=True)
class Heard:
    """A receipt on its way to its attempt."""

    id: UUID
    callback_id: UUID | None
    provider: str
    receipt: Receipt
    received_at: datetime
    message_id: UUID | None = None
    number: int | None = None
    part: Place | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What a callback was, and what it says."""

    verdict: str
    heard: Sequence[Heard] = field(default=())
    arrived: Sequence[Arrived] = field(default=())


def judge(row: Any) -> Judged:
    """
    A row of `callbacks`. Reports count by the vendor's signature, or by the MAC in their URL.

    A person's message has no URL of its own: where an account signs nothing, its secret token, which the gateway has compared, must do.
    """
    try:
        adapter = adapters.get(row.provider)
        url = account_url(row.provider, adapters.callback_token(row.provider))
    except KeyError:
        return Judged(verdict="no_provider")
    callback = Callback(
        method=row.method,
        url=f"{url}?{row.query}" if row.query else url,
        headers={name.lower(): value for name, value in row.headers},
        body=bytes(row.body),
        received_at=int(row.received_at.timestamp() * 1000),
    )
    owner = attempt_of(row.provider, dict(parse_qsl(row.query, keep_blank_values=True)))
    try:
        verification, events = adapter.verify(callback), [_storable(event) for event in adapter.read(callback)]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        # Adapters promise not to raise; one that does must not hold up everybody's reports. The raw request stays.
        log.error("callback.unreadable", provider=row.provider, callback=str(row.id), error=type(error).__name__)
        return Judged(verdict="unreadable")
    trusted = verification is Verification.SIGNED or (verification is Verification.UNSIGNED and owner is not None)
    messages = [event for event in events if isinstance(event, Inbound)]
    if not trusted and (verification is Verification.FORGED or not messages):
        log.warning("callback.refused", provider=row.provider, callback=str(row.id), verification=str(verification))
        return Judged(verdict="forged")
    heard = [
        Heard(id=_numbered(row.id, index), callback_id=row.id, provider=row.provider, receipt=event, received_at=row.received_at)
        for index, event in enumerate(events)
        if isinstance(event, Receipt) and trusted
    ]
    for one in heard:
        if owner is not None and is_tracking_id(owner[0]):
            one.message_id, one.number = UUID(owner[0]), owner[1]
    arrived = [
        Arrived(id=_numbered(row.id, index), callback_id=row.id, provider=row.provider, message=event, received_at=row.received_at)
        for index, event in enumerate(events)
        if isinstance(event, Inbound)
    ]
    verdict = "read" if heard else "inbound" if arrived else "unreadable"
    return Judged(verdict=verdict, heard=heard, arrived=arrived)


def _numbered(callback_id: UUID, index: int) -> UUID:
    """An id for the nth event of a callback, the same however often it is judged, in the callback's week."""
    return callback_id if index == 0 else UUID(int=(callback_id.int & ~0xFFFF) | ((callback_id.int + index) & 0xFFFF))


def _storable[E: Receipt | Inbound](event: E) -> E:
    """Without NUL, which PostgreSQL's text has not: one vendor's oddity must not hold up the batch."""
    odd: dict[str, Any] = {
        f.name: value.replace("\0", "") for f in fields(event) if type(value := getattr(event, f.name)) is str and "\0" in value
    }
    return replace(event, **odd) if odd else event
