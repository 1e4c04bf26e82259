"""
`/v1/callbacks/{provider}/{token}`: what providers report to us, queued as it came.

Nothing is judged here but the token; signatures and MACs are Server B's to check. The provider hears 2xx only once the request is durable.
"""

import asyncio
import hashlib
import hmac

import structlog
from fastapi import APIRouter, Request, Response

from sms_contract.envelope import Callback, encode_entry
from sms_contract.ids import uuid7
from sms_contract.topology import CALLBACKS
from sms_gateway.api.requests import read_body
from sms_gateway.api.resources import gateway_of
from sms_gateway.broker import Confirmation
from sms_gateway.cache import CacheError
from sms_gateway.observability import metrics
from sms_gateway.problems import Problem
from sms_gateway.submission import DEADLINE

router = APIRouter()
log = structlog.get_logger()

MAX_CALLBACK = 256 * 1024
#: Callbacks under way in one process; a provider that sends more is asked to come again.
CAP = 500
_NO_HASH = "0" * 64


@router.api_route("/v1/callbacks/{provider}/{token}", methods=["GET", "POST"])
async def receive_callback(provider: str, token: str, request: Request) -> Response:
    gateway = gateway_of(request)
    try:
        providers = await gateway.directory.providers()
    except CacheError as error:
        raise Problem("cache.unavailable") from error
    known = providers.by_slug.get(provider)
    expected = known.callback_hash if known is not None and known.callback_hash else _NO_HASH
    given = hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise Problem("route.not_found")
    raw: list[tuple[bytes, bytes]] = request.scope["headers"]
    body = await read_body(dict(raw), request.receive, MAX_CALLBACK)
    now_ms = gateway.clock.now_ms()
    entry = encode_entry(
        Callback(
            id=uuid7(now_ms),
            provider=provider,
            method=request.method,
            path=f"/v1/callbacks/{provider}",
            query=request.scope["query_string"].decode("latin-1"),
            headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw],
            body=body,
            received_at=now_ms,
        )
    )
    deadline = asyncio.get_running_loop().time() + DEADLINE
    if gateway.publisher.waiting(CALLBACKS) >= CAP:
        raise Problem("overloaded")
    confirmation = await gateway.publisher.publish(CALLBACKS, entry, deadline=deadline)
    if confirmation is not Confirmation.CONFIRMED:
        raise Problem("broker.unavailable" if confirmation is Confirmation.NOT_QUEUED else "broker.unconfirmed")
    metrics.CALLBACKS.labels(provider).inc()
    log.info("callback.queued", provider=provider, request_id=request.scope["sms_gateway.request_id"])
    return Response("OK", media_type="text/plain")
