"""Processes of ours that are killed or stand still."""

from contextlib import ExitStack
from dataclasses import replace

from chaos.scenario import DOUBT, SENT, SLOW, UNREPORTED, suite
from chaos.scenarios.boundaries import CLAIMED, PUBLISHED, REPORTED
from chaos.stage import Stage
from chaos.workload import Style


@suite.scenario("F6", only_accepted=True, fast=True)
def intake_killed(stage: Stage) -> None:
    """Intake is killed again and again: before a commit, between commit and acknowledgement, in the middle of a batch. Clients do not notice."""
    for _ in stage.moments(4):
        stage.kill("intake")


@suite.scenario("F11", rules=replace(DOUBT, told=True), behaviour=SLOW, only_accepted=True, fast=True)
def worker_killed(stage: Stage) -> None:
    """Workers are killed with posts under way. What a provider had taken is found out by its report; `hold` is never sent again."""
    for _ in stage.moments(2):
        stage.until(lambda: len(stage.ledger()) > 5, "sends under way")
        stage.kill("worker", "worker-otp")


@suite.scenario("F1", style=Style(clients=36, rate=90))
def gateway_killed(stage: Stage) -> None:
    """The gateway is killed under load. Clients that got no answer repeat with their keys: one message each, charged once."""
    for _ in stage.moments(3):
        stage.kill("gateway")


@suite.scenario("F11", only_accepted=True)
def background_killed(stage: Stage) -> None:
    """Beat, upkeep and the web are killed again and again: ticks, sweeps, reports and the projection go on where they were."""
    for _ in stage.moments(3):
        with REPORTED.held(stage):
            stage.kill("beat", "worker-upkeep", "web")


@suite.scenario("F11", rules=SENT, behaviour=SLOW | UNREPORTED, fast=True)
def all_killed(stage: Stage) -> None:
    """Everything of ours is killed at once, with posts under way, and comes back by itself."""
    for _ in stage.moments(1):
        stage.until(lambda: len(stage.ledger()) > 5, "sends under way")
        stage.kill("gateway", "intake", "worker", "worker-otp", "worker-upkeep", "beat", "web")


@suite.scenario("F11", rules=DOUBT, behaviour=SLOW, only_accepted=True)
def workers_frozen(stage: Stage) -> None:
    """Workers stand still past their lease and the wait for unknown outcomes, and wake up with old answers, which change nothing."""
    with stage.frozen("worker", "worker-otp"):
        stage.last(stage.system.lease + stage.system.unknown_wait, stage.system.lease + stage.system.unknown_wait + 5)


@suite.scenario("F11", rules=DOUBT, only_accepted=True)
def worker_frozen_before_its_post(stage: Stage) -> None:
    """A worker has claimed, stands still past its lease, and wakes up with nothing posted: it posts nothing any more."""
    for _ in stage.moments(1):
        with ExitStack() as until_awake:
            with CLAIMED.held(stage):
                until_awake.enter_context(stage.frozen("worker"))
            stage.last(stage.system.lease + 2, stage.system.lease + 4)


@suite.scenario("F6", only_accepted=True)
def intake_frozen(stage: Stage) -> None:
    """Intake stands still until the broker gives its deliveries to nobody and takes them back; woken up, its acknowledgements are void."""
    with stage.frozen("intake"):
        stage.last(35, 40)


@suite.scenario("F1")
def gateway_frozen(stage: Stage) -> None:
    """The gateway stands still for longer than a reservation's deadline, and wakes up with requests whose clients are gone."""
    with stage.untold():
        for _ in stage.moments(1):
            with ExitStack() as until_awake:
                with PUBLISHED.held(stage):
                    until_awake.enter_context(stage.frozen("gateway"))
                stage.last(8, 14)
            stage.repeated()
