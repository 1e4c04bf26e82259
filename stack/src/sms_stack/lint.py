"""Style, types and import rules: the checks that need nothing to run."""

import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from sms_stack.home import ROOT
from sms_stack.progress import say
from sms_stack.tiers import MEMBERS


@dataclass(frozen=True, kw_only=True)
class Check:
    name: str
    passed: bool
    output: str


def commands() -> dict[str, list[str]]:
    checks = {
        "ruff check": [sys.executable, "-m", "ruff", "check", "."],
        "ruff format": [sys.executable, "-m", "ruff", "format", "--check", "."],
    }
    shared: list[Path] = []
    apart: list[Path] = []
    for member in sorted(folder for pattern in MEMBERS for folder in ROOT.glob(pattern) if (folder / "pyproject.toml").exists()):
        (apart if _has_types_of_its_own(member) else shared).append(member)
    checks["mypy"] = [sys.executable, "-m", "mypy", *(str(member / "src") for member in shared)]
    for member in apart:
        checks[f"mypy {member.name}"] = [sys.executable, "-m", "mypy", f"--config-file={member / 'pyproject.toml'}", str(member / "src")]
    # Its console script, because the package has no __main__.
    checks["import rules"] = [str(Path(sys.executable).parent / "lint-imports")]
    return checks


def _has_types_of_its_own(member: Path) -> bool:
    """A member with its own [tool.mypy], e.g. for a plugin, is checked by itself."""
    return "mypy" in tomllib.loads((member / "pyproject.toml").read_text()).get("tool", {})


def run() -> list[Check]:
    """All of them, also when one fails; each one's words are shown when it has something to say."""
    results = []
    for name, command in commands().items():
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
        output = (done.stdout + done.stderr).strip()
        results.append(Check(name=name, passed=done.returncode == 0, output=output))
        say(f"{'✓' if done.returncode == 0 else '✗'} {name}" + (f"\n{output}" if done.returncode else ""))
    return results
