"""Ends in good order: each process stopped and started under load, and upgraded."""

from chaos.account import Rules
from chaos.scenario import suite
from chaos.stage import Stage
from chaos.upgrade import NEXT
from sms_stack.instance import APPLICATION

_WORKERS = {"worker", "worker-otp"}
#: Posts are under way whenever a worker is asked to end, and nobody but the worker can tell what became of them.
_UNREPORTED = {"latency": 0.5, "reports": {"statuses": []}}


@suite.scenario("F19", rules=Rules(ends=frozenset({"sent"})), behaviour=_UNREPORTED)
def rolling_restart(stage: Stage) -> None:
    """Each process is asked to end and started again, one after the other: nothing is lost, and no outcome becomes unknown."""
    for name in APPLICATION:
        for _ in stage.moments(1, least=0.1, most=0.5):
            if name in _WORKERS:
                # Intake was restarted just before: until it is at work again, there is nothing to be in the middle of.
                before = len(stage.ledger())
                stage.until(lambda before=before: len(stage.ledger()) > before + 5, "sends under way")
            stage.say(f"restart {name}")
            stage.system.restart(name)


@suite.scenario("F24")
def rolling_upgrade(stage: Stage) -> None:
    """The next version, which says more in its envelopes, is started process by process, Server A first; then back: nothing is poison."""
    upgraded = {}
    for name in ("gateway", "intake", "worker", "worker-otp", "worker-upkeep"):
        for _ in stage.moments(1, least=0.1, most=0.5):
            upgraded[name] = NEXT.variation(stage.system, over=stage.variations.get(name))
            stage.say(f"upgrade {name}")
            stage.vary(upgraded)
    stage.accepted(20)
    for name in ("worker-upkeep", "worker-otp", "worker", "intake", "gateway"):
        for _ in stage.moments(1, least=0.1, most=0.5):
            del upgraded[name]
            stage.say(f"back {name}")
            stage.vary(upgraded)
