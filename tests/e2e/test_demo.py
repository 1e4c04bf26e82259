"""The demo, in an instance of its own: three stories, as often as one likes."""

import json
import os
import subprocess
import urllib.request
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def smsgw(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SMSGW_")}
    environment["SMSGW_HOME"] = str(tmp_path / "var")

    def run(*words: str) -> dict:
        done = subprocess.run(
            [str(ROOT / "smsgw"), *words, "--json"], env=environment, capture_output=True, text=True, check=False, timeout=280
        )
        assert done.returncode == 0, f"{words} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    yield run
    run("down")


def test_the_demo_delivers_fails_over_and_replays_and_can_be_run_again(smsgw):
    first = smsgw("demo")
    assert first["ok"]
    assert [story["name"] for story in first["stories"]] == ["delivered", "failed_over", "replayed"]
    assert [story["message"]["provider"]["name"] for story in first["stories"]] == ["alpha", "beta", "alpha"]
    assert all(story["message"]["status"] == "delivered" for story in first["stories"])
    assert all(story["timeline"]["timeline"] for story in first["stories"])

    assert smsgw("restart")["simulator_url"] == smsgw("status")["simulator_url"]  # what ran runs again, the demo's providers too

    status = smsgw("status")
    assert status["ready"]
    assert status["demo"] == first["demo"]
    assert first["demo"]["live_key"] in first["curl"]
    assert {"client", "live_key", "test_key", "console_user", "console_password"} == status["demo"].keys()
    for page in (f"{status['console_url']}/metrics", f"{status['gateway_url']}/docs", f"{status['simulator_url']}/control/ledger"):
        with urllib.request.urlopen(page, timeout=10) as answer:
            assert answer.status == 200

    again = smsgw("demo")
    assert again["ok"]
    assert again["demo"] == first["demo"]
