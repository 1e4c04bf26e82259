"""
`/v1/callbacks/{provider}/{token}`: what providers report to us, queued as it came.

Nothing is judged here but the token; signatures and MACs are Server B's to check. The provider hears 2xx only once the request is durable.
"""

import asyncio
import hashlib
import hmac
from functools import cache

import structlog
from starlette.types import Receive, Scope, Send

from sms_contract.envelope import Callback, encode_entry
from sms_contract.ids import uuid7
from sms_contract.topology import CALLBACKS
from sms_gateway.api.answers import Answer, send_answer
from sms_gateway.api.requests import body_at_hand, read_body
from sms_gateway.broker import Confirmation
from sms_gateway.cache import CacheError
from sms_gateway.gateway import Gateway
from sms_gateway.observability import metrics
from sms_gateway.problems import Problem
from sms_gateway.submission import DEADLINE

log = structlog.get_logger()

MAX_CALLBACK = 256 * 1024
#: Callbacks under way in one process; a provider that sends more is asked to come again.
CAP = 500
_NO_HASH = "0" * 64


class ReceiveCallbacks:
    """
    The endpoint: a plain ASGI application, because there are more reports than messages.

    It is a route of the FastAPI application all the same, and documented (`openapi`).
    """

    PATH = "/v1/callbacks/{provider}/{token}"
    METHODS = ("GET", "POST")
    _PREFIX = "/v1/callbacks/"

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        #: Bound once: the module's finds out at each line what it was configured to be.
        self._log = log.bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self.answer(scope, receive)
        await send_answer(send, answer.status, answer.headers, answer.body)

    @classmethod
    def serves(cls, path: str) -> bool:
        """Whether a path is one of the route's."""
        if not path.startswith(cls._PREFIX):
            return False
        provider, slash, token = path[len(cls._PREFIX) :].partition("/")
        return bool(provider and slash and token) and "/" not in token

    async def answer(self, scope: Scope, receive: Receive) -> Answer:
        """The same for who sends it himself. Raises `Problem`."""
        gateway = self._gateway
        provider, _, token = scope["path"][len(self._PREFIX) :].partition("/")
        try:
            providers = gateway.directory.fresh_providers() or await gateway.directory.providers()
        except CacheError as error:
            raise Problem("cache.unavailable") from error
        known = providers.by_slug.get(provider)
        expected = known.callback_hash if known is not None and known.callback_hash else _NO_HASH
        given = hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
        if not hmac.compare_digest(given.encode(), expected.encode()):
            raise Problem("route.not_found")
        raw: list[tuple[bytes, bytes]] = scope["headers"]
        body = body_at_hand(scope, MAX_CALLBACK)
        if body is None:
            body = await read_body(dict(raw), receive, MAX_CALLBACK)
        now_ms = gateway.clock.now_ms()
        entry = encode_entry(
            Callback(
                id=uuid7(now_ms),
                provider=provider,
                method=scope["method"],
                path=f"{self._PREFIX}{provider}",
                query=scope["query_string"].decode("latin-1"),
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
        _counter(provider).inc()
        self._log.info("callback.queued", provider=provider, request_id=scope["sms_gateway.request_id"])
        return Answer(200, [(b"content-type", b"text/plain; charset=utf-8")], b"OK")


@cache
def _counter(provider: str) -> metrics.Count:
    return metrics.Count(metrics.CALLBACKS.labels(provider))
