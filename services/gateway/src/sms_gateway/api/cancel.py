"""
`POST /v1/messages/{tracking_id}/cancel` and `POST /v1/batches/{batch_id}/cancel`: taking back what was not sent yet.

The gateway only passes the wish on, durably; Server B decides, because only it knows what is under way. So a 202 means that the wish is
queued, not that it was in time.
"""

import asyncio
from typing import Annotated

import msgspec
import structlog
from fastapi import APIRouter, Depends, Request, Response

from sms_contract import keyspace, topology
from sms_contract.envelope import Cancel, encode_entry
from sms_contract.ids import is_tracking_id
from sms_contract.message import Message
from sms_gateway.admission.reserve import is_batch, read_record
from sms_gateway.api.resources import gateway_of, json_answer, with_scope
from sms_gateway.broker import Confirmation
from sms_gateway.cache import CacheError
from sms_gateway.directory import Principal
from sms_gateway.gateway import Gateway
from sms_gateway.problems import Problem
from sms_gateway.schema_batches import BatchCancel, cancel_requested
from sms_gateway.submission import DEADLINE

router = APIRouter()
log = structlog.get_logger()

#: Cancels under way in one process.
CAP = 1_000

_decode_message = msgspec.json.Decoder(Message).decode


@router.post("/v1/messages/{tracking_id}/cancel", status_code=202)
async def cancel_message(
    tracking_id: str, request: Request, principal: Annotated[Principal, Depends(with_scope("messages:send"))]
) -> Response:
    arrived = asyncio.get_running_loop().time()
    if not is_tracking_id(tracking_id):
        raise Problem("message.not_found")
    gateway, client = gateway_of(request), principal.client.id
    status, reservation = await _known(gateway, keyspace.status(client, tracking_id), keyspace.reservation(client, tracking_id))
    if status is not None:
        _, final, answer = status.split(b"|", 2)
        if final == b"1":
            raise Problem("message.final", tracking_id=tracking_id)
    elif reservation is not None and not is_batch(reservation):
        # Whatever its deadline: what was never confirmed may be on its way, and that is a reason to take it back.
        answer = read_record(reservation).answer
    else:
        raise Problem("message.not_found")
    now_ms = gateway.clock.now_ms()
    entry = encode_entry(Cancel(client=client, requested_at=now_ms, tracking_id=tracking_id))
    await _publish(gateway, entry, arrived, wanted=tracking_id)
    log.info("cancel.queued", tracking_id=tracking_id, client=client, request_id=request.scope["sms_gateway.request_id"])
    return _accepted(msgspec.json.encode(cancel_requested(_decode_message(answer))))


@router.post("/v1/batches/{batch_id}/cancel", status_code=202)
async def cancel_batch(batch_id: str, request: Request, principal: Annotated[Principal, Depends(with_scope("messages:send"))]) -> Response:
    arrived = asyncio.get_running_loop().time()
    if not is_tracking_id(batch_id):
        raise Problem("message.not_found")
    gateway, client = gateway_of(request), principal.client.id
    (record,) = await _known(gateway, keyspace.reservation(client, batch_id))
    # The id of a message is not that of a batch.
    if record is None or not is_batch(record):
        raise Problem("message.not_found", "No such batch.")
    entry = encode_entry(Cancel(client=client, requested_at=gateway.clock.now_ms(), batch_id=batch_id))
    await _publish(gateway, entry, arrived, wanted=batch_id)
    log.info("cancel.queued", batch_id=batch_id, client=client, request_id=request.scope["sms_gateway.request_id"])
    return _accepted(msgspec.json.encode(BatchCancel(batch_id=batch_id)))


async def _known(gateway: Gateway, *keys: str) -> list[bytes | None]:
    """What stands under keys. Raises `Problem` where nothing does, and that need not be the truth."""
    try:
        *values, marker = await gateway.cache.run(*(("GET", key) for key in keys), ("HMGET", keyspace.MARKER, "admit", "statuses"))
    except CacheError as error:
        raise Problem("cache.unavailable") from error
    found = [value if isinstance(value, bytes) else None for value in values]
    if not any(found) and not (isinstance(marker, list) and all(gateway.cache.marked(field) for field in marker)):
        raise Problem("cache.unavailable")
    return found


async def _publish(gateway: Gateway, entry: bytes, arrived: float, *, wanted: str) -> None:
    if gateway.publisher.waiting(topology.CONTROL) >= CAP:
        raise Problem("overloaded")
    confirmation = await gateway.publisher.publish(topology.CONTROL, entry, deadline=arrived + DEADLINE)
    if confirmation is Confirmation.NOT_QUEUED:
        raise Problem("broker.unavailable")
    if confirmation is Confirmation.UNCONFIRMED:
        raise Problem("broker.unconfirmed", "Cancel it again: that does no harm.", tracking_id=wanted)


def _accepted(body: bytes) -> Response:
    answer = json_answer(body)
    answer.status_code = 202
    return answer
