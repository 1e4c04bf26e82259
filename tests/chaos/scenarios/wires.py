"""Networks that lose answers: done, and nobody was told."""

from functools import partial
from typing import Any

from chaos.account import Rules
from chaos.scenario import DOUBT, Scenario, suite
from chaos.stage import Stage
from chaos.system import PROVIDER
from sms_simulators.fault_proxy import Mode

#: No report, which would show what the worker should have shown.
_UNREPORTED: dict[str, Any] = {"rules": Rules(ends=frozenset({"sent", "unknown"}), doubt=True), "behaviour": {"reports": {"statuses": []}}}
#: After the connections are broken, and before the policy of an unknown outcome decides.
_TOLD_LATE: dict[str, Any] = {"reports": {"statuses": [{"status": "delivered", "delay": 8}]}}
#: Process, service, F number, and what is otherwise than usual.
_LOSING: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("gateway", "rabbitmq", "F3", {}),
    ("gateway", "redis", "F17", {}),
    ("intake", "rabbitmq", "F3", {}),
    ("intake", "postgresql", "F7", {}),
    ("worker", "postgresql", "F7", {"rules": DOUBT}),
    ("worker", "redis", "F17", _UNREPORTED),
    ("worker", "rabbitmq", "F12", {"rules": DOUBT}),
    ("worker", PROVIDER, "F13", {"rules": DOUBT, "behaviour": _TOLD_LATE}),
    ("worker-upkeep", "postgresql", "F7", {}),
    ("worker-upkeep", "redis", "F17", {}),
)


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


for _process, _service, _number, _how in _LOSING:
    suite.add(
        Scenario(
            name=f"answers-lost-{_process}-{_service}",
            number=_number,
            proves=f"What {_process} asks of {_service} is done, the answers are lost, and then the connections: it is found out, not done twice.",
            act=partial(_lose_confirms if (_process, _service) == ("gateway", "rabbitmq") else _lose_answers, _process, _service),
            only_accepted=_process != "gateway",
            **_how,
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
