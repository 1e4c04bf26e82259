"""What is charged: given back where nobody finishes, and to the right day where one ends."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

from chaos.account import Rules
from chaos.patches import Change, Patch
from chaos.scenario import suite
from chaos.scenarios.boundaries import PUBLISHING
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
#: Seconds until the day ends.
_TO_MIDNIGHT = 25


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


@suite.scenario("F20")
def midnight_passes(stage: Stage) -> None:
    """A day ends under load: what was charged stays with its day, and who had used his quota up may send again."""
    name = f"small-{uuid4().hex[:6]}"
    stage.system.manage("client", "add", name, "--default-sender=CHAOS", "--daily-quota=2")
    send = partial(_send, stage, stage.system.manage("key", "add", name)["key"])
    for _ in stage.moments(1):
        stage.say("the gateway's calendar is at the end of a day")
        began = time.monotonic()
        stage.vary({"gateway": _near_midnight().variation(stage.system, over=stage.variations.get("gateway"))})
        for _message in range(2):
            stage.until(lambda: _said(send(), 202), "a message within the quota")
        stage.until(lambda: _said(send(), 429), "a refusal, because the quota is used up", seconds=5)
        if time.monotonic() - began > _TO_MIDNIGHT:
            raise NotSoError("this machine is too slow: midnight has passed already")
        stage.say("the quota is used up")
        stage.until(lambda: _said(send(), 202), "a new day, and a new quota", seconds=_TO_MIDNIGHT + 10)
        stage.say("a new day")
        stage.accepted(20)


def _near_midnight() -> Patch:
    """
    A gateway whose calendar reaches the end of its day in a moment; its clock, and Redis's, stay what they are.

    Redis itself cannot be run under libfaketime: its allocator asks for the time before that is there.
    """
    now = datetime.now(UTC)
    midnight = datetime.combine(now + timedelta(days=1), datetime.min.time(), UTC)
    ahead = int((midnight - now).total_seconds() - _TO_MIDNIGHT) * 1000
    line = "        day = self._days.get(zone_name)\n"
    file = "services/gateway/src/sms_gateway/clock.py"
    return Patch(name="near-midnight", changes=(Change(file=file, old=line, new=f"        now_ms += {ahead}\n{line}"),))


def _said(answer: Answer | None, status: int) -> bool:
    return answer is not None and answer.status == status
