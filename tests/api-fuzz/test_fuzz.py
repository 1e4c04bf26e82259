"""Contract tests that nobody here wrote: schemathesis makes requests from the documents, valid ones and others, alone and in sequences."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
#: A longer run may ask for more.
EXAMPLES = os.environ.get("API_FUZZ_EXAMPLES", "60")


def fuzz(document: str, key: str, folder: Path, *, phases: str, only: str = "/", but: str = "") -> str:
    """What schemathesis says after it has found nothing."""
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "--no-color", "run", document),
        *("--header", f"API-Key: {key}", "--max-examples", EXAMPLES, "--continue-on-failure", "--include-path-regex", only),
        *("--phases", phases, "--checks", "all"),
        *(("--exclude-checks", but) if but else ()),
    ]
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "fuzz_rules", "PYTHONPATH": str(HERE)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    passed = [line.strip() for line in done.stdout.splitlines() if line.startswith("  ✅")]
    assert passed == [f"✅ {phase.title()}" for phase in phases.split(",")], done.stdout
    return done.stdout


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("server", ["gateway", "history"])
def test_a_server_does_what_its_document_says(system, documents, test_key, tmp_path, server: str) -> None:
    fuzz(documents[server], test_key, tmp_path, phases="examples,coverage,fuzzing")
    # Whatever it was asked, it is well.
    assert system.is_ready()


@pytest.mark.timeout(1800)
def test_what_follows_from_an_answer_does_too(system, documents, test_key, tmp_path) -> None:
    # Not who may: the test before has tried that on every operation, so often that an address which goes on is throttled, and hears 429.
    said = fuzz(documents["gateway"], test_key, tmp_path, phases="fuzzing,stateful", only="^/v1/(messages|batches)", but="ignored_auth")
    covered = re.search(r"API Links: +(\d+) covered", said)
    # From a message to its status and its cancel, and from a batch to its own.
    assert covered is not None
    assert int(covered[1]) >= 3, said
    assert system.is_ready()
