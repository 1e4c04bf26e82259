"""What is charged: given back where nobody finishes, and to the right day where one ends."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

from redis.exceptions import RedisError

from chaos.account import Rules
from chaos.patches import Change, Patch
from chaos.scenario import suite
from chaos.scenarios.boundaries import PUBLISHING
from chaos.scenarios.limits import no_faketime, skewed
from chaos.stage import Stage
from chaos.waiting import NotSoError
from sms_contract import keyspace
from sms_stack.calls import Answer, call

#: A quarter of an hour, in a quarter of a minute.
_SOONER = Patch(
    name="sooner",
    changes=(
        Change(
            file="packages/contract/src/sms_contract/keyspace.py", old="PENDING_GRACE: Final = 15 * 60", new="PENDING_GRACE: Final = 15"
        ),
        Change(
            file="services/backend/src/sms_backend/pipeline/schedule.py",
            old='"housekeeping": _every(60,',
            new='"housekeeping": _every(5,',
        ),
    ),
)
#: Seconds from the start of a Redis with another clock to its midnight: it has to be filled again before.
_TO_MIDNIGHT = 90


@suite.scenario("F1", rules=Rules(settled=True), patience=60)
def overcharge_is_given_back(stage: Stage) -> None:
    """Reserved, and then the gateway is killed and the client never comes back: nothing stays charged for what was never sent."""
    names = ("worker-upkeep", "beat")
    stage.vary({name: _SOONER.variation(stage.system, over=stage.variations.get(name)) for name in names})
    customer = stage.load.told[0].customer
    # Each of its other clients waits for a confirm too.
    wanted = 5 + stage.load.clients_of(customer)
    for _ in stage.moments(1):
        with PUBLISHING.held(stage), ThreadPoolExecutor(5) as pool:
            for _each in range(5):
                pool.submit(_send, stage, customer.key)
            stage.until(lambda: _pending(stage, customer.id) >= wanted, "five reservations of a client that will not come back")
            stage.kill("gateway")


def _pending(stage: Stage, client: str) -> int:
    count: int = stage.system.redis.zcard(keyspace.pending(client))  # type: ignore[assignment]
    return count


def _send(stage: Stage, key: str) -> Answer | None:
    """As somebody who does not try again; None: there was no answer."""
    body = {"to": "+447700900002", "text": f"{uuid4().hex}"}
    headers = {"API-Key": key, "Idempotency-Key": uuid4().hex}
    try:
        return call(f"{stage.system.instance.gateway_url}/v1/messages", method="POST", body=body, headers=headers)
    except OSError:
        return None


@suite.scenario("F20", needs=no_faketime)
def midnight_passes(stage: Stage) -> None:
    """By Redis, whose clock counts, a day ends under load: what was charged stays with its day, and who had used his quota up may send again."""
    name = f"small-{uuid4().hex[:6]}"
    stage.system.manage("client", "add", name, "--default-sender=CHAOS", "--daily-quota=2")
    send = partial(_send, stage, stage.system.manage("key", "add", name)["key"])
    try:
        for _ in stage.moments(1):
            now = datetime.now(UTC)
            midnight = datetime.combine(now + timedelta(days=1), datetime.min.time(), UTC)
            stage.say("Redis has another clock, and its day ends soon")
            stage.vary({"redis": skewed(f"+{int((midnight - now).total_seconds()) - _TO_MIDNIGHT}")})
            began = time.monotonic()
        accepted = [stage.until(lambda: _said(send(), (202,)), "a message within the quota", seconds=60) for _ in range(2)]
        if len(accepted) != 2 or not _said(send(), (429,)):
            raise NotSoError("a client may send more than its quota")
        if time.monotonic() - began > _TO_MIDNIGHT:
            raise NotSoError("this machine is too slow: midnight has passed already")
        stage.say("the quota is used up")
        stage.until(lambda: _said(send(), (202,)), "a new day, and a new quota", seconds=_TO_MIDNIGHT + 60)
        stage.say("a new day")
        stage.accepted(20)
    finally:
        stage.vary({})
        # What was written by a clock that was hours ahead is worth nothing to one that is not.
        stage.until(lambda: _emptied(stage), "Redis emptied")


def _emptied(stage: Stage) -> bool:
    try:
        return bool(stage.system.redis.flushall())
    except RedisError:
        return False


def _said(answer: Answer | None, wanted: Sequence[int]) -> bool:
    return answer is not None and answer.status in wanted
