"""
Copies of a package with a few lines changed, put before the original on the PYTHONPATH of the processes that are started.

A change names the lines that it replaces; where they are not there exactly once, it does not apply, and says so.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from chaos.system import System, Variation
from sms_stack.home import ROOT
from sms_stack.instance import APPLICATION

_PATH = "PYTHONPATH"
_COMPILED = shutil.ignore_patterns("__pycache__")


class StaleError(AssertionError):
    """A change does not fit the code any more: bring it up to date, or the proof that it stands for is none."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """Lines of a file, and what stands in their place."""

    file: str  #: relative to the checkout
    old: str
    new: str

    def applied(self, text: str) -> str:
        """Raises `StaleError`."""
        count = text.count(self.old)
        if count != 1:
            raise StaleError(f"{self.file} has {count} times, and should have once:\n{self.old}")
        return text.replace(self.old, self.new)

    @property
    def package(self) -> Path:
        """The folder of the package that the file belongs to, relative to the checkout."""
        parts = Path(self.file).parts
        return Path(*parts[: parts.index("src") + 2])


@dataclass(frozen=True, kw_only=True)
class Patch:
    """Some changes that belong together."""

    name: str
    changes: tuple[Change, ...]

    def changed(self) -> dict[str, str]:
        """The new content of each file. Raises `StaleError`."""
        contents: dict[str, str] = {}
        for change in self.changes:
            contents[change.file] = change.applied(contents.get(change.file) or (ROOT / change.file).read_text())
        return contents

    def variation(self, system: System, *, over: Variation | None = None) -> Variation:
        """Have a process run it. `over`: with what is changed already."""
        before = None if over is None else over.environment.get(_PATH)
        folder = system.instance.home.path / "patched" / (self.name if before is None else f"{Path(before).name}+{self.name}")
        shutil.rmtree(folder, ignore_errors=True)
        if before is not None:
            shutil.copytree(before, folder, ignore=_COMPILED)
        for package in {change.package for change in self.changes}:
            if not (folder / package.name).exists():
                shutil.copytree(ROOT / package, folder / package.name, ignore=_COMPILED)
        for change in self.changes:
            file = folder / change.package.name / Path(change.file).relative_to(change.package)
            file.write_text(change.applied(file.read_text()))
        return Variation(environment={_PATH: str(folder)})


def variations(patch: Patch, system: System) -> dict[str, Variation]:
    """The same for every process that has the package."""
    packages = {change.package.name for change in patch.changes}
    names = [name for name in APPLICATION if ("sms_gateway" if name == "gateway" else "sms_backend") in packages]
    return dict.fromkeys(names or APPLICATION, patch.variation(system))
