"""How each request to send begins, one message or many: who asks, whether they may, and what came when."""

import asyncio
from abc import ABC, abstractmethod
from typing import ClassVar

import msgspec
from starlette.types import Receive, Scope, Send

from sms_gateway.api.answers import Answer, send_answer
from sms_gateway.api.limits import limits_of_refused
from sms_gateway.api.requests import address, body_at_hand, idempotency_key, must_be_json, read_body
from sms_gateway.directory import Principal
from sms_gateway.gateway import Gateway
from sms_gateway.problems import Problem


class Arrival(msgspec.Struct):
    """A request that has come in whole, from somebody who may send."""

    principal: Principal
    scope: Scope
    headers: dict[bytes, bytes]
    body: bytes
    moment: float  #: at which its deadline begins, by the clock of the loop

    def idempotency_key(self) -> str | None:
        """Raises `Problem` where it is malformed; when that is judged is for each endpoint to say."""
        return idempotency_key(self.headers, self.scope["headers"])


class Sending(ABC):
    """
    An endpoint that sends: a plain ASGI application, because FastAPI's own way of reading a body costs more than all the rest.

    It is a route of the FastAPI application all the same, and documented from the schema that validates it (`openapi`).
    """

    PATH: ClassVar[str]
    MAX_BODY: ClassVar[int]

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self.answer(scope, receive)
        await send_answer(send, answer.status, answer.headers, answer.body)

    async def answer(self, scope: Scope, receive: Receive) -> Answer:
        """The same for who sends it himself. Raises `Problem`, which tells of the client's limits as an answer does."""
        gateway = self.gateway
        headers = dict(scope["headers"])
        principal = gateway.authenticator.recognized(headers, "messages:send")
        if principal is None:
            principal = await gateway.authenticator.authenticate(headers, address(scope), "messages:send")
        try:
            _must_be_served(principal)
            must_be_json(headers)
            body = body_at_hand(scope, self.MAX_BODY)
            if body is None:
                body = await read_body(headers, receive, self.MAX_BODY)
            return await self.take(Arrival(principal, scope, headers, body, asyncio.get_running_loop().time()))
        except Problem as problem:
            problem.headers += await limits_of_refused(problem, gateway, principal)
            raise

    @abstractmethod
    async def take(self, arrival: Arrival) -> Answer:
        """See to what has arrived. Raises `Problem`."""


def _must_be_served(principal: Principal) -> None:
    if principal.client.suspended:
        raise Problem("client.suspended")
