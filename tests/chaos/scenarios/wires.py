"""Networks that lose answers: done, and nobody was told."""

from chaos.scenario import DOUBT, Scenario, suite
from chaos.stage import Stage
from chaos.system import PROVIDER
from sms_simulators.fault_proxy import Mode

#: Process, service, F number, whether outcomes may become unknown, whether clients may notice.
_LOSING = (
    ("gateway", "rabbitmq", "F3", False),
    ("gateway", "redis", "F17", False),
    ("intake", "rabbitmq", "F3", False),
    ("intake", "postgresql", "F7", False),
    ("worker", "postgresql", "F7", True),
    ("worker", "redis", "F17", True),
    ("worker", "rabbitmq", "F12", True),
    ("worker", PROVIDER, "F13", True),
    ("worker-upkeep", "postgresql", "F7", False),
    ("worker-upkeep", "redis", "F17", False),
)


def _lose_answers(process: str, service: str, stage: Stage) -> None:
    for _ in stage.moments(2):
        stage.say(f"answers of {service} to {process} are lost")
        with stage.wire(process, service).failing(Mode.DROP_RESPONSES):
            stage.last(3, 5)


def _act(process: str, service: str):
    def act(stage: Stage) -> None:
        _lose_answers(process, service, stage)

    return act


for _process, _service, _number, _doubt in _LOSING:
    suite.add(
        Scenario(
            name=f"answers-lost-{_process}-{_service}",
            number=_number,
            proves=f"What {_process} asks of {_service} is done, the answers are lost, and then the connections: it is found out, not done twice.",
            act=_act(_process, _service),
            **({"rules": DOUBT} if _doubt else {}),
            only_accepted=_process != "gateway",
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
                with wire.failing(Mode.RST):
                    pass
