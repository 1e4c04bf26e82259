"""Whether the process lives, whether it may be sent requests, and its metrics."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from sms_gateway.api.resources import gateway_of
from sms_gateway.observability import metrics

router = APIRouter()


@router.get("/healthz")
async def healthz() -> Response:
    return PlainTextResponse("ok\n")


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    gateway = gateway_of(request)
    cache, broker = gateway.cache, gateway.broker
    lines = [f"redis: {cache.reason}", f"rabbitmq: {broker.reason}"]
    if cache.ready and not cache.statuses_ready:
        lines[0] = "redis: ok, statuses are still being projected"
    if broker.topology_warning is not None:
        lines[1] += f", but not declared: {broker.topology_warning}"
    ready = cache.ready and broker.up
    return PlainTextResponse("\n".join(lines) + "\n", status_code=200 if ready else 503)


@router.get("/metrics")
async def read_metrics() -> Response:
    return Response(metrics.exposition(), headers={"content-type": metrics.CONTENT_TYPE})
