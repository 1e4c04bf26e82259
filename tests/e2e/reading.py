"""Somebody who does at a shell what a page says: for the guides and the tutorial."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Reader:
    """In a checkout, with one shell after another; what a block sets, the next finds, by way of `kept`."""

    folder: Path
    kept: Path
    environment: Mapping[str, str]
    patience: float = 90.0  #: seconds for one block

    def run(self, commands: str) -> str:
        """What a block prints; `AssertionError` where it fails."""
        self.kept.touch()
        script = f"set -a\n. {self.kept}\n{commands}\nexport -p > {self.kept}\n"
        done = subprocess.run(
            ["bash", "-eu", "-c", script],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=self.patience,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def documents_in(output: str) -> Iterator[Any]:
    """The JSON objects in what was printed, also where curl has put one right behind another."""
    start = output.find("{")
    while start >= 0:
        document, end = json.JSONDecoder().raw_decode(output, start)
        yield document
        start = output.find("{", end)
