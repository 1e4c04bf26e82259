"""Each process killed at each boundary of its work: held there by a fault proxy, killed, and let go."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from chaos.account import Rules
from chaos.scenario import DOUBT, SENT, UNREPORTED, Scenario, suite
from chaos.stage import Stage
from chaos.system import PROVIDER
from sms_contract.envelope import SUBMISSION_V1
from sms_simulators.fault_proxy import Mode
from sms_stack.home import ROOT

_BACKEND = "services/backend/src/sms_backend"
_ADMISSION = "services/gateway/src/sms_gateway/admission"
#: What basic.ack looks like in AMQP 0-9-1: class 60, method 80.
_ACK = b"\x00\x3c\x00\x50"
_COMMIT = b"COMMIT"
#: Every text of a run begins with its name; so do no other bytes that go to PostgreSQL.
_TEXT = b"<run>"
#: The simulated Twilio's ids: what goes to PostgreSQL with one settles an attempt.
_SID = b"SM"
#: What a look-up at the provider has not.
_POST = b"POST "
#: In the key of a day's quota, which admission charges; by the key and not by the script, which a mutation may change.
_QUOTA = b"}:q:"
#: In the evidence that a claim writes.
_DECISION = b"because"


def script(path: str) -> bytes:
    """What EVALSHA names it by."""
    return hashlib.sha1((ROOT / path).read_bytes(), usedforsecurity=False).hexdigest().encode()


_BEFORE, _AFTER = Mode.HOLD_REQUESTS, Mode.HOLD_ANSWERS


@dataclass(frozen=True, kw_only=True)
class Boundary:
    """Where a process is held: before its request arrives, or before it hears the answer."""

    process: str
    service: str
    mode: Mode
    markers: tuple[bytes, ...] = ()
    untold: bool = False  #: nothing shows what is stored, until clients have repeated what was broken off

    @contextmanager
    def held(self, stage: Stage) -> Iterator[None]:
        """The block runs while the process is held here."""
        markers = [stage.load.run.encode() if marker == _TEXT else marker for marker in self.markers]
        with stage.held(self.process, self.service, self.mode, markers):
            yield

    @property
    def _victims(self) -> tuple[str, ...]:
        # One wire leads to the provider, for both: whose post is held there cannot be seen.
        return ("worker", "worker-otp") if self.service == PROVIDER else (self.process,)

    def kill(self, stage: Stage) -> None:
        with stage.untold() if self.untold else nullcontext():
            for _ in stage.moments(2):
                with self.held(stage):
                    stage.kill(*self._victims)
                if self.untold:
                    stage.repeated()


def _killed(
    name: str,
    number: str,
    *,
    at: tuple[Mode, str],
    markers: tuple[bytes, ...] = (),
    proves: str,
    rules: Rules | None = None,
    behaviour: Mapping[str, Any] | None = None,
    untold: bool = False,
) -> Boundary:
    """A scenario: the process that its name begins with is killed there, twice."""
    process = name.partition("-")[0]
    boundary = Boundary(process=process, service=at[1], mode=at[0], markers=markers, untold=untold)
    usual = DOUBT if process == "worker" else Rules()
    suite.add(
        Scenario(
            name=name,
            number=number,
            proves=proves,
            act=boundary.kill,
            rules=rules or usual,
            behaviour=behaviour or {},
            only_accepted=process != "gateway",
        )
    )
    return boundary


_killed(
    "gateway-reserved",
    "F1",
    at=(_AFTER, "redis"),
    markers=(_QUOTA,),
    proves="Killed when Redis has reserved and the gateway has not heard: the repeat takes the reservation over, charged once.",
)
PUBLISHING = _killed(
    "gateway-publishing",
    "F1",
    at=(_BEFORE, "rabbitmq"),
    markers=(SUBMISSION_V1.encode(),),
    proves="Killed with the publish not yet at the broker: the repeat publishes under the same id.",
)
PUBLISHED = _killed(
    "gateway-published",
    "F1",
    at=(_AFTER, "rabbitmq"),
    markers=(SUBMISSION_V1.encode(),),
    proves="Killed when the broker has the message and the confirm is on its way: the repeat's second copy is no second message.",
    untold=True,
)
_killed(
    "gateway-finalizing",
    "F1",
    at=(_BEFORE, "redis"),
    markers=(script(f"{_ADMISSION}/finalize.lua"),),
    proves="Killed between the confirm and the end of the reservation: the repeat is a second copy of the same message.",
    untold=True,
)
_killed(
    "intake-inserting",
    "F6",
    at=(_BEFORE, "postgresql"),
    markers=(_TEXT,),
    proves="Killed before its insert arrives: the broker delivers again.",
)
_killed(
    "intake-committing",
    "F6",
    at=(_BEFORE, "postgresql"),
    markers=(_TEXT, _COMMIT),
    proves="Killed with everything inserted and nothing committed: the broker delivers again.",
)
_killed(
    "intake-committed",
    "F6",
    at=(_AFTER, "postgresql"),
    markers=(_TEXT, _COMMIT),
    proves="Killed when PostgreSQL has committed and intake has not heard: the redelivery changes nothing.",
)
_killed(
    "intake-acknowledging",
    "F6",
    at=(_BEFORE, "rabbitmq"),
    markers=(_ACK,),
    proves="Killed between commit and acknowledgement: the redelivery changes nothing.",
)
_killed(
    "intake-hinting",
    "F9",
    at=(_BEFORE, "rabbitmq"),
    markers=(b"pipeline.dispatch",),
    proves="Killed before its hint is published: the tick finds what is due.",
)
_killed(
    "worker-claiming",
    "F11",
    at=(_BEFORE, "postgresql"),
    markers=(_DECISION, _COMMIT),
    proves="Killed before its claim is committed: nobody has claimed, and somebody else does.",
)
CLAIMED = _killed(
    "worker-claimed",
    "F11",
    at=(_AFTER, "postgresql"),
    markers=(_DECISION, _COMMIT),
    proves="Killed when its claim is committed and nothing is posted: nobody can know that, so the policy decides.",
)
_killed(
    "worker-posting",
    "F11",
    at=(_BEFORE, PROVIDER),
    markers=(_POST,),
    proves="Killed with posts that never arrive: unknown, and the policy decides.",
)
_killed(
    "worker-posted",
    "F11",
    at=(_AFTER, PROVIDER),
    markers=(_POST,),
    # Only after the lease has run out.
    behaviour={"reports": {"statuses": [{"status": "delivered", "delay": 28}]}},
    proves="Killed when the provider has taken the message and the answer is on its way: its report tells, nothing goes out again.",
)
_killed(
    "worker-settling",
    "F11",
    at=(_BEFORE, "postgresql"),
    markers=(_SID, _COMMIT),
    rules=replace(DOUBT, told=True),
    proves="Killed with the provider's yes not yet committed: its report tells, nothing goes out again.",
)
_killed(
    "worker-settled",
    "F11",
    at=(_AFTER, "postgresql"),
    markers=(_SID, _COMMIT),
    rules=SENT,
    behaviour=UNREPORTED,
    proves="Killed when PostgreSQL has settled and the worker has not heard: settled it is, and shown by the next tick.",
)
_killed(
    "worker-projecting",
    "F11",
    at=(_BEFORE, "redis"),
    markers=(script(f"{_BACKEND}/messages/project.lua"),),
    rules=SENT,
    behaviour=UNREPORTED,
    proves="Killed before Redis is told: the promise in PostgreSQL is kept by the next tick.",
)
#: What reports say is committed, and Redis is not told.
REPORTED = Boundary(process="worker-upkeep", service="redis", mode=_BEFORE, markers=(script(f"{_BACKEND}/messages/project.lua"),))
