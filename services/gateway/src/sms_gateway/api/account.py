"""`GET /v1/account`: the client, its key, and what is left of its limits."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from sms_contract import keyspace
from sms_gateway.api.resources import gateway_of, json_answer, timestamp, with_scope
from sms_gateway.cache import CacheError
from sms_gateway.directory import Principal
from sms_gateway.problems import Problem
from sms_gateway.schema import Account, AccountClient, AccountKey, Quota, RateLimit

router = APIRouter()


@router.get("/v1/account")
async def read_account(request: Request, principal: Annotated[Principal, Depends(with_scope("account:read"))]) -> Response:
    gateway = gateway_of(request)
    client = principal.client
    day = gateway.calendar.day(client.time_zone, gateway.clock.now_ms())
    try:
        counter, projected = await gateway.cache.run(("GET", keyspace.quota(client.id, day.name)), ("EXISTS", keyspace.client(client.id)))
        providers = await gateway.directory.providers()
    except CacheError as error:
        raise Problem("cache.unavailable") from error
    if projected != 1:
        gateway.cache.doubt()
        raise Problem("cache.unavailable")
    used = int(counter or 0)
    limit = client.daily_limit
    account = Account(
        client=AccountClient(id=client.id, name=client.name),
        key=AccountKey(
            id=principal.key_id,
            mode="test" if principal.mode == "test" else "live",
            scopes=sorted(principal.scopes),
            expires_at=None if principal.expires_at is None else timestamp(principal.expires_at * 1000),
        ),
        quota=Quota(
            daily_limit=limit,
            used=used,
            remaining=None if limit is None else max(0, limit - used),
            resets_at=timestamp(day.ends_ms),
        ),
        rate_limit=RateLimit(per_second=client.rate, burst=principal.burst if client.rate else None),
        providers=[provider.slug for provider in providers.listed if provider.active and not provider.test],
    )
    return json_answer(msgspec.json.encode(account))
