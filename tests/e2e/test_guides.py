"""That the guides work as they are written: their commands are run in order, and what they show is what comes."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from reading import Reader, documents_in
from system import ROOT, System, until

pytestmark = pytest.mark.timeout(180)

GUIDES = ("idempotency", "quotas", "batches", "scheduling", "cancel")
QUICK = {"statuses": [{"status": "delivered", "delay": 0.1}]}
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# (\w+\.py)\n")
_SOMETHING = "…"  #: what a reader sees differently each time
_DOES = re.compile(r"-X POST|-d '|\./smsgw|python3 \w+\.py")  #: what may not be done twice


@dataclass(frozen=True)
class Step:
    """A block of commands, and the block after it that shows what they print."""

    commands: str
    kind: str = ""
    shown: str | None = None


def steps_of(page: str, folder: Path) -> Iterator[Step]:
    """In order; a block of Python that names its file is written there."""
    blocks = _BLOCK.findall(page)
    following = [*blocks[1:], ("", None)]
    for (language, text), (kind, shown) in zip(blocks, following, strict=True):
        named = _FILE.match(text)
        if language == "python" and named:
            (folder / named[1]).write_text(text)
        if language == "sh":
            yield Step(text, kind, shown) if kind in {"", "json"} and shown else Step(text)


def fits(shown: Any, seen: Any) -> bool:
    """Everything that is shown is there; there may be more fields."""
    if isinstance(shown, dict):
        return isinstance(seen, dict) and all(name in seen and fits(value, seen[name]) for name, value in shown.items())
    if isinstance(shown, list):
        return isinstance(seen, list) and len(shown) == len(seen) and all(map(fits, shown, seen))
    if isinstance(shown, str) and _SOMETHING in shown:
        return isinstance(seen, str) and re.fullmatch(".+".join(map(re.escape, shown.split(_SOMETHING))), seen) is not None
    return bool(shown == seen)


def is_shown(step: Step, output: str) -> bool:
    lines = output.splitlines()
    if step.shown is None:
        return True
    if step.kind == "json":
        return any(fits(json.loads(step.shown), document) for document in documents_in(output))
    return all(any(fits(wanted.lower(), line.strip().lower()) for line in lines) for wanted in step.shown.splitlines())


def follow(reader: Reader, step: Step) -> None:
    def seen() -> bool:
        output.append(reader.run(step.commands))
        return is_shown(step, output[-1])

    output: list[str] = []
    if _DOES.search(step.commands):
        assert seen(), f"{step.commands}\nis to show\n{step.shown}\nand prints\n{output[-1]}"
    else:
        until(seen, what=f"{step.commands} to show {step.shown}")


@pytest.fixture(scope="module")
def given(system: System) -> Iterator[dict[str, str]]:
    """What the tutorial's reader has: a gateway, a provider that takes everything, a key."""
    alpha = system.add_provider("--priority=900", reports=QUICK)
    reading = system.add_sender("--default-sender=GUIDE")
    until(lambda: alpha.slug in reading.account()["providers"], seconds=20, what=f"{alpha.slug} known to the gateway")
    yield {"GATEWAY": system.gateway, "KEY": reading.key}
    system.manage("provider", "disable", alpha.slug)


@pytest.fixture
def reader(tmp_path: Path, given: dict[str, str], ready: System) -> Reader:
    (tmp_path / "smsgw").symlink_to(ROOT / "smsgw")
    return Reader(folder=tmp_path, kept=tmp_path / "kept", environment={**os.environ, **given})


@pytest.mark.parametrize("guide", GUIDES)
def test_a_guide_works_as_it_is_written(reader: Reader, guide: str) -> None:
    steps = list(steps_of((ROOT / "docs/howto" / f"{guide}.md").read_text(), reader.folder))
    assert any(step.shown for step in steps), "it shows what comes"
    for step in steps:
        follow(reader, step)
