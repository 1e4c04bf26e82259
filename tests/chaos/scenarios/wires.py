"""Networks that lose answers: done, and nobody was told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from chaos.scenario import DOUBT, SENT, UNREPORTED, Scenario, suite
from chaos.scenarios.boundaries import CLAIMED
from chaos.stage import Stage
from chaos.system import PROVIDER
from sms_simulators.fault_proxy import Mode

#: After the connections are broken, and before the policy of an unknown outcome decides.
_TOLD_LATE: dict[str, Any] = {"reports": {"statuses": [{"status": "delivered", "delay": 8}]}}


def _lose_answers(process: str, service: str, stage: Stage) -> None:
    for _ in stage.moments(2):
        stage.say(f"answers of {service} to {process} are lost")
        with stage.wire(process, service).failing(Mode.DROP_RESPONSES):
            stage.last(3, 5)


def _lose_confirms(process: str, service: str, stage: Stage) -> None:
    """And the repeats are there before anything shows that they need not be published again."""
    with stage.untold():
        _lose_answers(process, service, stage)
        stage.repeated()


def _lose_claims(process: str, service: str, stage: Stage) -> None:
    """And once the one that says that a claim is committed; what it claimed is nobody's until its lease has run out."""
    _lose_answers(process, service, stage)
    for _ in stage.moments(1):
        with CLAIMED.held(stage):
            stage.say(f"the answer of {service} to a claim's commit is lost")
            stage.wire(process, service).reset()


@dataclass(frozen=True, kw_only=True)
class _Losing:
    """Of whose answers which process hears nothing."""

    process: str
    service: str
    number: str
    act: Callable[[str, str, Stage], None] = _lose_answers
    otherwise: Mapping[str, Any] = field(default_factory=dict)  #: what is otherwise than usual in the scenario


for _one in (
    _Losing(process="gateway", service="rabbitmq", number="F3", act=_lose_confirms),
    _Losing(process="gateway", service="redis", number="F17"),
    _Losing(process="intake", service="rabbitmq", number="F3"),
    _Losing(process="intake", service="postgresql", number="F7"),
    _Losing(process="worker", service="postgresql", number="F7", act=_lose_claims, otherwise={"rules": DOUBT}),
    _Losing(process="worker", service="redis", number="F17", otherwise={"rules": SENT, "behaviour": UNREPORTED}),
    _Losing(process="worker", service="rabbitmq", number="F12", otherwise={"rules": DOUBT}),
    _Losing(process="worker", service=PROVIDER, number="F13", otherwise={"rules": DOUBT, "behaviour": _TOLD_LATE}),
    _Losing(process="worker-upkeep", service="postgresql", number="F7"),
    _Losing(process="worker-upkeep", service="redis", number="F17"),
):
    suite.add(
        Scenario(
            name=f"answers-lost-{_one.process}-{_one.service}",
            number=_one.number,
            proves=(
                f"What {_one.process} asks of {_one.service} is done, the answers are lost, and then the connections: "
                "it is found out, not done twice."
            ),
            act=partial(_one.act, _one.process, _one.service),
            only_accepted=_one.process != "gateway",
            **_one.otherwise,
        )
    )


@suite.scenario("F2")
def publishes_lost(stage: Stage) -> None:
    """What the gateway publishes never arrives, and then the connection is reset: no 202 without a confirm."""
    wire = stage.wire("gateway", "rabbitmq")
    for _ in stage.moments(2):
        stage.say("nothing passes, then reset")
        with wire.failing(Mode.BLACKHOLE):
            stage.last(0.5, 2)
            with wire.failing(Mode.RST):
                stage.last(0.5, 1)


@suite.scenario("F2")
def wires_reset(stage: Stage) -> None:
    """Every wire of every process is reset, again and again."""
    for _ in stage.moments(6, least=0.1, most=0.8):
        for (_, service), wire in stage.system.wires.items():
            if service != PROVIDER:
                wire.reset()
