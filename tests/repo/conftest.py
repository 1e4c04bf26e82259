"""The files of the project, as a checkout has them."""

import os
from functools import cache
from pathlib import Path

import pytest

from sms_stack import credentials, ports
from sms_stack.home import Home
from sms_stack.instance import Instance
from sms_stack.lint import SETTINGS

ROOT = Path(__file__).parents[2]
# Server B reads its environment when it is imported; nothing here connects to any of these.
os.environ.update(SETTINGS)
#: What .gitignore names, and git itself.
_NOT_OURS = {".git", ".venv", "var", "__pycache__", "dist", ".env", "node_modules"}
_CACHES = ("_cache", ".hypothesis")


@cache
def files() -> tuple[Path, ...]:
    """Every file of the project, relative to its root."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in _NOT_OURS and not name.endswith(_CACHES)]
        found += [(Path(folder) / name).relative_to(ROOT) for name in names if name not in _NOT_OURS and not name.endswith(".pyc")]
    return tuple(sorted(found))


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def tree() -> tuple[Path, ...]:
    return files()


@pytest.fixture(scope="session")
def texts(tree) -> dict[Path, str]:
    """Every file that is text."""
    found = {}
    for path in tree:
        try:
            found[path] = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return found


@pytest.fixture(scope="session")
def documents(texts) -> dict[Path, str]:
    return {path: text for path, text in texts.items() if path.suffix == ".md"}


@pytest.fixture(scope="session")
def sources(texts) -> dict[Path, str]:
    """Every Python file that is installed or run: no test."""
    return {path: text for path, text in texts.items() if path.suffix == ".py" and "tests" not in path.parts}


@pytest.fixture
def programs(tmp_path):
    """What `./smsgw up` runs, by name."""
    home = Home(path=tmp_path / "var")
    home.make()
    chosen, _ = ports.choose(home, running=(), free=lambda _: True)
    return {program.name: program for program in Instance(home, credentials.load(home), chosen, {}).application()}
