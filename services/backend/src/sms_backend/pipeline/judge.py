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
from sms_backend.routing.callback_urls import account_url, attempt_of, is_signed_account_url
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
    A row of `callbacks`. It counts by the vendor's signature, or by a MAC in the URL that it came to.

    The MAC is of one attempt, or, where a vendor is told one URL for everything, of its account.
    """
    try:
        adapter = adapters.get(row.provider)
        token = adapters.callback_token(row.provider)
        url = account_url(row.provider, token)
    except KeyError:
        return Judged(verdict="no_provider")
    callback = Callback(
        method=row.method,
        url=f"{url}?{row.query}" if row.query else url,
        headers={name.lower(): value for name, value in row.headers},
        body=bytes(row.body),
        received_at=int(row.received_at.timestamp() * 1000),
    )
    query = dict(parse_qsl(row.query, keep_blank_values=True))
    owner = attempt_of(row.provider, query)
    try:
        verification, events = adapter.verify(callback), [_storable(event) for event in adapter.read(callback)]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        # Adapters promise not to raise; one that does must not hold up everybody's reports. The raw request stays.
        log.error("callback.unreadable", provider=row.provider, callback=str(row.id), error=type(error).__name__)
        return Judged(verdict="unreadable")
    proven = owner is not None or is_signed_account_url(row.provider, token, query)
    if verification is not Verification.SIGNED and not (verification is Verification.UNSIGNED and proven):
        log.warning("callback.refused", provider=row.provider, callback=str(row.id), verification=str(verification))
        return Judged(verdict="forged")
    heard = [
        Heard(id=_numbered(row.id, index), callback_id=row.id, provider=row.provider, receipt=event, received_at=row.received_at)
        for index, event in enumerate(events)
        if isinstance(event, Receipt)
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
