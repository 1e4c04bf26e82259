"""Who may import whom: import-linter's contracts, between the members and inside each."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("config", ["pyproject.toml", "tests/repo/import_rules.toml"])
def test_nobody_imports_what_he_must_not(root, config):
    program = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([program, "--config", config, "--no-cache"], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[done.stdout.find("Broken contracts") :] + done.stderr
