"""Whatever is killed: nothing accepted is lost, nothing is sent twice. The fast part of `./smsgw chaos`, in the instance that runs here."""

from collections.abc import Iterator

import pytest
from chaos.background import Background, background
from chaos.people import People, dismiss, gather
from chaos.scenarios import SCENARIOS
from chaos.system import System, attached
from chaos.trial import run
from system import System as Whole

from sms_stack.progress import say

pytestmark = pytest.mark.timeout(240)

FAST = [scenario for scenario in SCENARIOS.values() if scenario.fast]
SEED = 1


@pytest.fixture(scope="module")
def loop() -> Iterator[Background]:
    with background() as it:
        yield it


@pytest.fixture(scope="module")
def chaotic() -> System:
    return attached()


@pytest.fixture(scope="module")
def people(chaotic: System) -> Iterator[People]:
    gathered = gather(chaotic)
    yield gathered
    dismiss(chaotic, gathered)


@pytest.mark.parametrize("scenario", FAST, ids=lambda scenario: scenario.name)
def test_nothing_is_lost_and_nothing_is_doubled(scenario, chaotic: System, people: People, loop: Background, ready: Whole) -> None:
    trial = run(scenario, system=chaotic, people=people, background=loop, seed=SEED, say=say)
    assert trial.problems == [], trial.document()
    assert trial.account is not None
    assert trial.account.ok >= 20
