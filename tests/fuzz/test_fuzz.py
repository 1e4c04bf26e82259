"""Whatever comes: envelopes and callbacks are read or refused, never anything else, and no forged signature counts."""

import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck, given, settings
from mutations import mutated, swept
from targets import TARGETS, Target

from sms_providers.base import Provider
from sms_providers.registry import ADAPTERS

HERE = Path(__file__).parent
EXAMPLES = 200  #: a round; as many rounds as there is time


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest) -> Target:
    return TARGETS[request.param]


def test_every_adapter_that_reads_callbacks_is_a_target() -> None:
    pushed = {slug for slug, adapter in ADAPTERS.items() if adapter.read is not Provider.read}
    assert {f"{slug}-callback" for slug in pushed} <= TARGETS.keys()
    assert "twilio-signature" in TARGETS


def test_what_is_right_is_taken(target: Target) -> None:
    for each in target.seeds:
        target.run(each)


def test_only_what_twilio_signs_is_held_against_its_adapter() -> None:
    """Its signature is over names and values run together, in their order: a border between the two may move, and nothing else."""
    target = TARGETS["twilio-callback"]
    head = b"2 m=0192f0c1&a=1&s=5f2c\nMessageSid=SM11111111111111111111111111111111&From=%2B447911123456&To=%2B15551234567"
    target.run(head + b"&Body=Stop+%C3%A9&NumSegments=2&SmsStatus=received&OptOutTyp=eSTOP")
    target.run(head + b"&Body=Stop+%C3%A9&NumSegments=2&SmsStatus=received&OptOutType=STOP")


def test_it_stands_every_odd_value_in_every_place(target: Target) -> None:
    count = 0
    for data in swept(target.seeds):
        count += 1
        try:
            target.run(data)
        except Exception as error:
            error.add_note(f"for {data[:300]!r}")
            raise
    assert count >= 10


def test_it_stands_what_is_nearly_right(target: Target, seconds: float, seed: int) -> None:
    end = time.monotonic() + seconds
    round_ = 0
    while round_ == 0 or time.monotonic() < end:

        @hypothesis.seed(seed + round_)
        @settings(max_examples=EXAMPLES, database=None, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
        @given(data=mutated(target.seeds))
        def look(data: bytes) -> None:
            target.run(data)

        look()
        round_ += 1


@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris has no wheel for this Python")
def test_it_stands_what_reaches_every_branch(target: Target, seconds: float, seed: int, tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(HERE / "guided.py"),
        target.name,
        str(int(seconds) or 1),
        str(seed % 2**31 or 1),
        str(tmp_path / "corpus"),
    ]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=110 + 4 * seconds, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Done" in done.stderr, done.stderr[-2000:]
