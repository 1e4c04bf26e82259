"""Each process killed at each boundary of its work: held there by a fault proxy, killed, and let go."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chaos.account import Rules
from chaos.scenario import DOUBT, Scenario, suite
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
#: In the key of a day's quota, which admission charges; by the key and not by the script, which a mutation may change.
_QUOTA = b"}:q:"
#: In the evidence that a claim writes.
_DECISION = b"because"


def script(path: str) -> bytes:
    """What EVALSHA names it by."""
    return hashlib.sha1((ROOT / path).read_bytes(), usedforsecurity=False).hexdigest().encode()


@dataclass(frozen=True, kw_only=True)
class Boundary:
    """Where a process is held: before its request arrives, or before it hears the answer."""

    name: str
    number: str
    process: str
    service: str
    mode: Mode
    proves: str
    markers: tuple[bytes, ...] = ()
    rules: Rules = field(default_factory=Rules)
    behaviour: Mapping[str, Any] = field(default_factory=dict)

    def act(self, stage: Stage) -> None:
        markers = [stage.load.run.encode() if marker == _TEXT else marker for marker in self.markers]
        for _ in stage.moments(2):
            with stage.held(self.process, self.service, self.mode, markers):
                stage.kill(self.process)


_BEFORE, _AFTER = Mode.HOLD_REQUESTS, Mode.HOLD_ANSWERS
BOUNDARIES = (
    Boundary(
        name="gateway-reserved",
        number="F1",
        process="gateway",
        service="redis",
        mode=_AFTER,
        markers=(_QUOTA,),
        proves="Killed when Redis has reserved and the gateway has not heard: the repeat takes the reservation over, charged once.",
    ),
    Boundary(
        name="gateway-publishing",
        number="F1",
        process="gateway",
        service="rabbitmq",
        mode=_BEFORE,
        markers=(SUBMISSION_V1.encode(),),
        proves="Killed with the publish not yet at the broker: the repeat publishes under the same id.",
    ),
    Boundary(
        name="gateway-published",
        number="F1",
        process="gateway",
        service="rabbitmq",
        mode=_AFTER,
        markers=(SUBMISSION_V1.encode(),),
        proves="Killed when the broker has the message and the confirm is on its way: the repeat's second copy is no second message.",
    ),
    Boundary(
        name="gateway-finalizing",
        number="F1",
        process="gateway",
        service="redis",
        mode=_BEFORE,
        markers=(script(f"{_ADMISSION}/finalize.lua"),),
        proves="Killed between the confirm and the end of the reservation: the repeat is a second copy of the same message.",
    ),
    Boundary(
        name="intake-inserting",
        number="F6",
        process="intake",
        service="postgresql",
        mode=_BEFORE,
        markers=(_TEXT,),
        proves="Killed before its insert arrives: the broker delivers again.",
    ),
    Boundary(
        name="intake-committing",
        number="F6",
        process="intake",
        service="postgresql",
        mode=_BEFORE,
        markers=(_TEXT, _COMMIT),
        proves="Killed with everything inserted and nothing committed: the broker delivers again.",
    ),
    Boundary(
        name="intake-committed",
        number="F6",
        process="intake",
        service="postgresql",
        mode=_AFTER,
        markers=(_TEXT, _COMMIT),
        proves="Killed when PostgreSQL has committed and intake has not heard: the redelivery changes nothing.",
    ),
    Boundary(
        name="intake-acknowledging",
        number="F6",
        process="intake",
        service="rabbitmq",
        mode=_BEFORE,
        markers=(_ACK,),
        proves="Killed between commit and acknowledgement: the redelivery changes nothing.",
    ),
    Boundary(
        name="intake-hinting",
        number="F9",
        process="intake",
        service="rabbitmq",
        mode=_BEFORE,
        markers=(b"pipeline.dispatch",),
        proves="Killed before its hint is published: the tick finds what is due.",
    ),
    Boundary(
        name="worker-claiming",
        number="F11",
        process="worker",
        service="postgresql",
        mode=_BEFORE,
        markers=(_DECISION, _COMMIT),
        rules=DOUBT,
        proves="Killed before its claim is committed: nobody has claimed, and somebody else does.",
    ),
    Boundary(
        name="worker-claimed",
        number="F11",
        process="worker",
        service="postgresql",
        mode=_AFTER,
        markers=(_DECISION, _COMMIT),
        rules=DOUBT,
        proves="Killed when its claim is committed and nothing is posted: nobody can know that, so the policy decides.",
    ),
    Boundary(
        name="worker-posting",
        number="F11",
        process="worker",
        service=PROVIDER,
        mode=_BEFORE,
        rules=DOUBT,
        proves="Killed with posts that never arrive: unknown, and the policy decides.",
    ),
    Boundary(
        name="worker-posted",
        number="F11",
        process="worker",
        service=PROVIDER,
        mode=_AFTER,
        rules=DOUBT,
        # Only after the lease has run out.
        behaviour={"reports": {"statuses": [{"status": "delivered", "delay": 28}]}},
        proves="Killed when the provider has taken the message and the answer is on its way: its report tells, nothing goes out again.",
    ),
    Boundary(
        name="worker-settling",
        number="F11",
        process="worker",
        service="postgresql",
        mode=_BEFORE,
        markers=(_SID, _COMMIT),
        rules=DOUBT,
        proves="Killed with the provider's yes not yet committed: its report tells, nothing goes out again.",
    ),
    Boundary(
        name="worker-settled",
        number="F11",
        process="worker",
        service="postgresql",
        mode=_AFTER,
        markers=(_SID, _COMMIT),
        rules=DOUBT,
        proves="Killed when PostgreSQL has settled and the worker has not heard: settled it is.",
    ),
    Boundary(
        name="worker-projecting",
        number="F11",
        process="worker",
        service="redis",
        mode=_BEFORE,
        markers=(script(f"{_BACKEND}/messages/project.lua"),),
        # No report, or its projection would hide that this one is missing.
        rules=Rules(ends=frozenset({"sent", "unknown"}), doubt=True),
        behaviour={"reports": {"statuses": []}},
        proves="Killed before Redis is told: the promise in PostgreSQL is kept by the next tick.",
    ),
)

CLAIMED = next(boundary for boundary in BOUNDARIES if boundary.name == "worker-claimed")

for _one in BOUNDARIES:
    suite.add(
        Scenario(
            name=_one.name,
            number=_one.number,
            proves=_one.proves,
            act=_one.act,
            rules=_one.rules,
            behaviour=_one.behaviour,
            only_accepted=_one.process != "gateway",
        )
    )
