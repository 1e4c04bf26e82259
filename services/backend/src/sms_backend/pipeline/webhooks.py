"""
Delivering webhooks: claim what is due, post it with no transaction open, settle it as the answers come.

One rolling window a process. A receiver that takes its time holds up neither the others nor the ticks that share the worker; a worker that
dies leaves leases behind, and its deliveries are tried again: at least once, under the same `webhook-id`.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

import structlog
from cryptography.fernet import InvalidToken

from sms_backend.accounts.models import CallbackSecret, Client, SigningSecrets, WebhookEndpoint
from sms_backend.accounts.subscriptions import subscriptions
from sms_backend.accounts.webhooks import default_secret, signing_secrets
from sms_backend.core import metrics
from sms_backend.core.environment import environment
from sms_backend.core.logs import tell_each
from sms_backend.core.signatures import signature
from sms_backend.messages import deliveries
from sms_backend.messages.deliveries import Tried
from sms_backend.messages.hot import hot_cursor
from sms_backend.pipeline.loop import LoopThread
from sms_backend.pipeline.outlet import TOTAL, Answer, Outlet, Post
from sms_backend.pipeline.webhook_schedule import CLOSED, judge
from sms_contract.status import Mode

log = structlog.get_logger()
_rng = Random()  # noqa: S311 - jitter, no secrets

#: Posts under way at a time.
MOST = 256
#: Seconds that a claimed delivery belongs to its worker.
_LEASE = TOTAL * 3
#: For so many seconds answers are gathered, to be settled together; where none comes, the first is waited for, but no longer than this.
_GATHER = 0.02
_IDLE = 0.2
#: An endpoint where nothing has arrived for so many seconds is disabled.
_SUSTAINED = 5 * 86400.0
_AGENT = "sms-gateway-webhooks/1"
_SECRET = "secret_unreadable"  # noqa: S105 - a reason

type _Flight = asyncio.Task[Answer]


class Deliverer:
    """One a process: whoever comes second finds that there is one at work already."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._loop = LoopThread("webhooks")
        self._outlet: Outlet | None = None

    def deliver(self, *, until: float) -> int:
        """Deliver until nothing is due, or `until` (monotonic) has passed; returns how many tries that were."""
        if not self._turn.acquire(blocking=False):
            return 0
        mine, total = True, 0
        flying: dict[_Flight, Any] = {}
        try:
            while True:
                rows = _claim(flying.values()) if mine and len(flying) < MOST else []
                total += len(rows)
                flying |= self._begin(_to_post(rows))
                if mine and time.monotonic() > until:
                    # The next may begin while the last answers come.
                    self._turn.release()
                    mine = False
                if not flying:
                    return total
                _settle([(flying.pop(flight), flight.result()) for flight in self._loop.call(partial(_some, flying))])
        finally:
            if mine:
                self._turn.release()

    def close(self) -> None:
        """Close the session and the loop."""
        if self._outlet is not None:
            self._loop.call(self._outlet.close)
            self._outlet = None
        self._loop.close()

    def _begin(self, posts: Sequence[tuple[Any, Post]]) -> dict[_Flight, Any]:
        return self._loop.call(partial(self._take_off, posts)) if posts else {}

    async def _take_off(self, posts: Sequence[tuple[Any, Post]]) -> dict[_Flight, Any]:
        if self._outlet is None:
            self._outlet = Outlet(loopback=environment.smsgw_development)
        return {asyncio.ensure_future(self._outlet.post(post)): row for row, post in posts}


deliverer = Deliverer()


async def _some(flying: Iterable[_Flight]) -> set[_Flight]:
    done, rest = await asyncio.wait(flying, timeout=_GATHER)
    if not done:
        done, _ = await asyncio.wait(rest, timeout=_IDLE, return_when=asyncio.FIRST_COMPLETED)
    return done


def _claim(flying: Iterable[Any]) -> list[Any]:
    under_way = Counter(row.target for row in flying)
    busy = [target for target, count in under_way.items() if count >= deliveries.PER_TARGET]
    # A claim that is lost is due again: at least once.
    with hot_cursor(plan_once=True, may_be_lost=True) as cursor:
        return deliveries.claim(cursor, limit=MOST - under_way.total(), lease=_LEASE, busy=busy)


def _to_post(rows: Sequence[Any]) -> list[tuple[Any, Post]]:
    """What can be posted; the rest is settled at once."""
    owners = _owners(rows) if rows else {}
    secrets = {target: _secrets(owner) for target, owner in owners.items()}
    _settle([(row, Answer(seconds=0.0, reason=_SECRET if row.target in owners else CLOSED)) for row in rows if not secrets.get(row.target)])
    return [(row, _post(row, valid)) for row in rows if (valid := secrets.get(row.target))]


def _post(row: Any, secrets: Sequence[str]) -> Post:
    # By PostgreSQL's clock, as all times that a client is told: receivers refuse what is five minutes off.
    webhook_id, now, body = str(row.id), int(row.claimed_at.timestamp()), bytes(row.body)
    return Post(
        url=row.url or row.endpoint_url,
        body=body,
        plain_http=environment.smsgw_development or (row.url is not None and row.mode == Mode.TEST),
        headers={
            "Content-Type": "application/json",
            "User-Agent": _AGENT,
            "webhook-id": webhook_id,
            "webhook-timestamp": str(now),
            "webhook-signature": signature(secrets, webhook_id=webhook_id, timestamp=now, body=body),
        },
    )


def _owners(rows: Sequence[Any]) -> dict[str, SigningSecrets]:
    """Whose secrets sign: of each target that may be written to."""
    owners: dict[str, SigningSecrets] = {}
    owners |= {e.id: e for e in WebhookEndpoint.objects.filter(id__in={row.target for row in rows if row.endpoint_open})}
    for_url = {row.client_id: row.target for row in rows if row.url is not None}
    if for_url:
        owners |= {for_url[s.client_id]: s for s in CallbackSecret.objects.filter(client_id__in=for_url)}
        for client in Client.objects.filter(id__in=[client for client, target in for_url.items() if target not in owners]):
            owners[for_url[client.id]] = default_secret(client)
    return owners


def _secrets(owner: SigningSecrets) -> list[str]:
    try:
        return signing_secrets(owner)
    except InvalidToken:
        # One secret that no key of ours opens must not hold up everybody's webhooks.
        log.error("webhook.secret_unreadable", owner=str(owner))
        return []


def _settle(answers: Sequence[tuple[Any, Answer]]) -> None:
    if not answers:
        return
    tried = [_tried(row, answer) for row, answer in answers]
    tell_each("webhook.tried", map(_told, answers, tried))
    for reason, count in Counter(one.reason for one in tried).items():
        metrics.webhooks.labels(reason or "delivered").inc(count)
    _commit(tried)


def _told(answered: tuple[Any, Answer], tried: Tried) -> dict[str, object]:
    row, answer = answered
    return {
        "webhook": str(row.id),
        "tracking_id": str(row.message_id),
        "client": row.client_id,
        "type": row.type,
        "number": row.tries,
        "status": answer.status,
        "reason": tried.reason,
        "seconds": round(answer.seconds, 3),
    }


def _tried(row: Any, answer: Answer) -> Tried:
    verdict = judge(answer, step=row.step, now=row.claimed_at + timedelta(seconds=answer.seconds), rng=_rng)
    metrics.webhook_seconds.observe(answer.seconds)
    return Tried(
        id=row.id,
        target=row.target,
        number=row.tries,
        started_at=row.claimed_at,
        seconds=answer.seconds,
        status=answer.status,
        reason=verdict.reason,
        state=verdict.state,
        step=verdict.step,
        next_after=verdict.next_after,
        gone=verdict.gone,
    )


def _commit(tried: Sequence[Tried]) -> None:
    with hot_cursor(plan_once=True) as cursor:
        disabled = deliveries.settle(cursor, tried, patience=_SUSTAINED)
    for endpoint in disabled:
        metrics.endpoints_disabled.labels(endpoint.disabled_reason).inc()
        log.error("webhook.endpoint_disabled", endpoint=endpoint.id, client=endpoint.client_id, reason=endpoint.disabled_reason)
    if disabled:
        subscriptions.forget()
