"""Style, types and import rules: the checks that need nothing to run."""

import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from sms_stack.home import ROOT
from sms_stack.progress import say
from sms_stack.tiers import MEMBERS

#: django-stubs imports Django's settings, which read the environment; nothing is connected to.
SETTINGS = {
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "RABBITMQ_URL": "amqp://nobody:none@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "PUBLIC_BASE_URL": "http://127.0.0.1:1",
    "SMSGW_SECRET_KEY": "x" * 40,
    "SMSGW_KEY_PEPPER": "x" * 40,
    "SMSGW_CALLBACK_SECRET": "x" * 40,
    "SMSGW_CREDENTIAL_KEYS": "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=",
}


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
    environment = {**os.environ, **SETTINGS}
    for name, command in commands().items():
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
        output = (done.stdout + done.stderr).strip()
        results.append(Check(name=name, passed=done.returncode == 0, output=output))
        say(f"{'✓' if done.returncode == 0 else '✗'} {name}" + (f"\n{output}" if done.returncode else ""))
    return results
