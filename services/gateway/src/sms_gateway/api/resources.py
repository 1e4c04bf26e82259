"""What the FastAPI endpoints share: the gateway, and a principal with a scope."""

from collections.abc import Awaitable, Callable

from fastapi import Request, Response

from sms_contract import message as view
from sms_gateway.api.requests import address
from sms_gateway.directory import Principal
from sms_gateway.gateway import Gateway

timestamp = view.timestamp


def gateway_of(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


def with_scope(scope: str) -> Callable[[Request], Awaitable[Principal]]:
    """A dependency: the principal of a request whose key has the scope."""

    async def principal(request: Request) -> Principal:
        headers = dict(request.scope["headers"])
        return await gateway_of(request).authenticator.authenticate(headers, address(request.scope), scope)

    return principal


def json_answer(body: bytes) -> Response:
    return Response(body, media_type="application/json")
