"""The application: FastAPI with its routes, inside the edge."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

from sms_gateway import settings as configuration
from sms_gateway.api import account, cancel, documentation, messages, preview, probes
from sms_gateway.api.answers import problem_response
from sms_gateway.api.batches import SendBatches
from sms_gateway.api.callbacks import ReceiveCallbacks
from sms_gateway.api.edge import Edge, Shortcut
from sms_gateway.api.send import SendMessages
from sms_gateway.gateway import Gateway
from sms_gateway.observability import logs
from sms_gateway.problems import Problem
from sms_gateway.settings import Settings

_CODES = {404: "route.not_found", 405: "request.method_not_allowed", 413: "request.too_large"}


def create_app() -> ASGIApp:
    """What a worker process serves, set up from the environment."""
    settings = configuration.from_environment()
    logs.configure(settings.log_level)
    return build(settings)


def build(settings: Settings) -> ASGIApp:
    gateway = Gateway(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, float]]:
        async with gateway.running():
            # What lives now lives as long as the process: the collector need not look at it again and again.
            gc.collect()
            gc.freeze()
            gc.set_threshold(50_000, 20, 50)
            yield {"read_timeout": settings.gateway_read_timeout}

    app = FastAPI(
        title="SMS gateway",
        version="1",
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Ours are at the edge; FastAPI would look for providers at every request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.gateway = gateway
    # First of all routes: it is asked for most.
    send = SendMessages(gateway)
    app.router.add_route(SendMessages.PATH, send, methods=["POST"])  # type: ignore[arg-type]
    app.router.add_route(SendBatches.PATH, SendBatches(gateway), methods=["POST"])  # type: ignore[arg-type]
    reports = ReceiveCallbacks(gateway)
    app.router.add_route(ReceiveCallbacks.PATH, reports, methods=list(ReceiveCallbacks.METHODS))  # type: ignore[arg-type]
    for module in (preview, messages, cancel, account, probes, documentation):
        app.include_router(module.router)
    _answer_in_problems(app, settings.public_base_url)
    documentation.document(app)
    shortcuts = [
        Shortcut(route=SendMessages.PATH, methods=("POST",), serves=SendMessages.PATH.__eq__, endpoint=send.answer),
        Shortcut(route=ReceiveCallbacks.PATH, methods=ReceiveCallbacks.METHODS, serves=ReceiveCallbacks.serves, endpoint=reports.answer),
    ]
    return Edge(app, settings.public_base_url, shortcuts=shortcuts)


def _answer_in_problems(app: FastAPI, base_url: str) -> None:
    async def problem(_: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return problem_response(error, base_url)

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        allowed = (error.headers or {}).get("Allow")
        code = _CODES.get(error.status_code, "internal")
        return problem_response(Problem(code, headers=[(b"allow", allowed.encode())] if allowed else None), base_url)

    async def anything(_: Request, _error: Exception) -> Response:
        # Starlette raises it again once this has been sent, and the edge logs it.
        return problem_response(Problem("internal"), base_url)

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, anything)
