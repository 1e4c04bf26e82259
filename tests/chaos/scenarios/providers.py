"""Providers that misbehave in every way, under both policies, and reports that come as they like."""

from chaos.account import Rules
from chaos.people import KAVENEGAR
from chaos.scenario import DOUBT, suite
from chaos.stage import Stage
from chaos.system import PROVIDER
from chaos.workload import Style
from sms_simulators.fault_proxy import Mode

_DELIVERED = [{"status": "delivered", "delay": 0.3}]
_SLOW_LOAD = Style(rate=15.0)
#: Not found counts only twice, a minute apart.
LOOKED_UP = 90.0
_UNCLEAR = ("accept_then_silence", "accept_then_500", "accept_then_reset", "malformed_2xx", "no_id_2xx")


@suite.scenario(
    "F13",
    rules=DOUBT,
    style=_SLOW_LOAD,
    only_accepted=True,
    behaviour={"rules": [{"action": action, "share": 0.15} for action in _UNCLEAR], "reports": {"statuses": _DELIVERED}},
)
def provider_takes_it_and_does_not_say_so(stage: Stage) -> None:
    """Taken, and answered with nothing, 500, a reset, half an answer, an answer without id: its report tells, and nothing goes out again."""
    stage.accepted(100)


@suite.scenario(
    "F13",
    # Without reports `sent` is the last that is heard.
    rules=Rules(ends=frozenset({"sent", "unknown"}), doubt=True),
    style=_SLOW_LOAD,
    only_accepted=True,
    behaviour={"rules": [{"action": action, "share": 0.15} for action in _UNCLEAR], "reports": {"statuses": _DELIVERED, "missing": 1.0}},
)
def provider_never_tells(stage: Stage) -> None:
    """The same, and no report ever comes: `hold` ends as unknown and is sent once; `resend` goes out once more, and each of those is listed."""
    stage.accepted(100)


@suite.scenario(
    "F13",
    rules=DOUBT,
    style=_SLOW_LOAD,
    only_accepted=True,
    behaviour={
        "rules": [
            {"action": "refuse", "http_status": 429, "retry_after": 1, "share": 0.2},
            {"action": "refuse", "http_status": 503, "share": 0.1},
            {"action": "refuse", "http_status": 500, "share": 0.05},
            {"action": "silence", "share": 0.05},
            {"action": "reset", "share": 0.05},
        ],
        "reports": {"statuses": _DELIVERED},
    },
)
def provider_refuses_and_breaks(stage: Stage) -> None:
    """Too busy, unavailable, broken, silent, reset: what was certainly not taken goes elsewhere at once, what nobody knows waits."""
    stage.accepted(100)


@suite.scenario(
    "F13",
    rules=Rules(ends=frozenset({"delivered", "failed"})),
    only_accepted=True,
    behaviour={"rules": [{"action": "refuse", "http_status": 400, "code": 21211, "share": 0.3}], "reports": {"statuses": _DELIVERED}},
)
def provider_refuses_for_good(stage: Stage) -> None:
    """Some numbers are refused for good: failed, sent nowhere else, and their charge is given back once."""
    for _ in stage.moments(2):
        stage.kill("worker-upkeep")


@suite.scenario("F13", rules=DOUBT, only_accepted=True)
def provider_gone(stage: Stage) -> None:
    """Nobody listens at the provider for a while: provably nothing was sent, so everything is, afterwards."""
    for _ in stage.moments(1):
        stage.say("the provider is gone")
        with stage.refusing_provider():
            stage.last(5, 8)


@suite.scenario(
    "F14",
    only_accepted=True,
    behaviour={
        "latency": [0.0, 0.3],
        "reports": {
            "statuses": [{"status": "sent"}, {"status": "delivered", "delay": 0.05}, {"status": "failed", "delay": 0.1}],
            "copies": 2,
            "order": "given",
            "before_answer": True,
        },
    },
)
def reports_early_doubled_and_contradicted(stage: Stage) -> None:
    """Every report comes twice, before the answer to the send, and `failed` after `delivered`: delivered it is."""
    stage.accepted(60)


@suite.scenario(
    "F14",
    only_accepted=True,
    behaviour={"reports": {"statuses": [{"status": "delivered"}, {"status": "sent", "delay": 0.05}], "copies": 3, "order": "shuffled"}},
)
def reports_out_of_order(stage: Stage) -> None:
    """Reports come three times each, in any order."""
    stage.accepted(60)


@suite.scenario(
    "F14",
    rules=Rules(ends=frozenset({"sent"})),
    only_accepted=True,
    behaviour={"reports": {"statuses": [{"status": "failed", "delay": 0.05}, {"status": "delivered", "delay": 0.05}], "forged": 1.0}},
)
def reports_forged(stage: Stage) -> None:
    """All reports carry a wrong signature: none of them changes anything."""
    stage.accepted(40)
    stage.until(lambda: stage.judged("forged") >= 80, "80 forged reports judged")
    stage.behave(reports={"statuses": []})


@suite.scenario(
    "F13",
    vendor=KAVENEGAR,
    patience=LOOKED_UP,
    rules=Rules(doubt=True, told=True),
    style=_SLOW_LOAD,
    only_accepted=True,
    behaviour={"rules": [{"action": action, "share": 0.15} for action in _UNCLEAR], "reports": {"statuses": _DELIVERED}},
)
def asked_vendor_takes_it_and_does_not_say_so(stage: Stage) -> None:
    """A vendor that is asked says by our reference that it has the message: nothing stays in doubt, though the askers are killed."""
    for _ in stage.moments(3, least=2, most=4):
        stage.kill("worker-upkeep")


@suite.scenario("F13", vendor=KAVENEGAR, patience=LOOKED_UP, rules=Rules(doubt=True, told=True), style=_SLOW_LOAD, only_accepted=True)
def asked_vendors_answers_are_lost(stage: Stage) -> None:
    """It takes messages, and tells of them when it is asked, and neither is heard for a while: it is asked again, and nothing stays in doubt."""
    for _ in stage.moments(2, least=3, most=5):
        stage.say("answers of the provider are lost")
        with stage.wire("worker", PROVIDER).failing(Mode.DROP_RESPONSES):
            stage.last(4, 6)
