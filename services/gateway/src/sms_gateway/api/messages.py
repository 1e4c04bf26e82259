"""`GET /v1/messages/{tracking_id}`: a message as the read model has it, or as it was accepted a moment ago."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from sms_contract import keyspace
from sms_contract.ids import is_tracking_id
from sms_gateway.admission.reserve import is_batch, read_record, standing
from sms_gateway.api.resources import gateway_of, json_answer, with_scope
from sms_gateway.cache import CacheError
from sms_gateway.directory import Principal
from sms_gateway.problems import Problem

router = APIRouter()


@router.get("/v1/messages/{tracking_id}")
async def read_message(
    tracking_id: str, request: Request, principal: Annotated[Principal, Depends(with_scope("messages:read"))]
) -> Response:
    if not is_tracking_id(tracking_id):
        raise Problem("message.not_found")
    gateway = gateway_of(request)
    client = principal.client.id
    try:
        status, reservation, marker = await gateway.cache.run(
            ("GET", keyspace.status(client, tracking_id)),
            ("GET", keyspace.reservation(client, tracking_id)),
            ("HMGET", keyspace.MARKER, "admit", "statuses"),
        )
    except CacheError as error:
        raise Problem("cache.unavailable") from error
    if isinstance(status, bytes):
        return json_answer(status.split(b"|", 2)[2])
    if isinstance(reservation, bytes) and not is_batch(reservation):
        record = read_record(reservation)
        holder: object = reservation
        if record.batch_id:
            try:
                (holder,) = await gateway.cache.run(("GETRANGE", keyspace.reservation(client, record.batch_id), 0, 127))
            except CacheError as error:
                raise Problem("cache.unavailable") from error
        stands = standing(holder, gateway.clock.now_ms()) if isinstance(holder, bytes) and holder else "void"
        if stands == "counts":
            return json_answer(record.answer)
        if stands == "unclear":
            raise Problem("cache.unavailable")
    if status is not None or not isinstance(marker, list) or not all(gateway.cache.marked(field) for field in marker):
        # Statuses are still being projected: not found may only mean not yet there.
        raise Problem("cache.unavailable")
    raise Problem("message.not_found")
