"""compose.yaml and the Dockerfiles, read for tests."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

_VARIABLE = re.compile(r"\$\{(\w+)(:[-?])?([^}]*)\}")


@dataclass(frozen=True)
class Compose:
    root: Path

    @cached_property
    def text(self) -> str:
        return (self.root / "compose.yaml").read_text()

    @cached_property
    def document(self) -> dict[str, Any]:
        return yaml.safe_load(self.text)

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        return self.document["services"]

    def variables(self) -> Iterator[tuple[str, str, str]]:
        """Name, `:-` or `:?` or nothing, and what follows, of each variable that it is filled with."""
        yield from _VARIABLE.findall(self.text)

    def environment(self, service: str, given: dict[str, str]) -> dict[str, str]:
        """What a service is told, filled as `docker compose` would."""

        def fill(match: re.Match[str]) -> str:
            name, operator, rest = match.groups()
            value = given.get(name, "")
            assert value or operator == ":-", f"{name} is required"
            return value or rest

        told = self.services[service].get("environment", {})
        filled = {name: given.get(name, "") if value is None else _VARIABLE.sub(fill, str(value)) for name, value in told.items()}
        return {name: value for name, value in filled.items() if value or told[name] is not None}


@dataclass(frozen=True)
class Dockerfile:
    """Its stages, as lists of (instruction, rest)."""

    path: Path

    @cached_property
    def stages(self) -> list[list[tuple[str, str]]]:
        joined = re.sub(r"\\\n", " ", "\n".join(line for line in self.path.read_text().splitlines() if not line.startswith("#")))
        stages: list[list[tuple[str, str]]] = []
        for line in filter(None, (line.strip() for line in joined.splitlines())):
            instruction, _, rest = line.partition(" ")
            if instruction == "FROM":
                stages.append([])
            stages[-1].append((instruction, " ".join(rest.split())))
        return stages

    def all(self, instruction: str, stage: int = -1) -> list[str]:
        return [rest for name, rest in self.stages[stage] if name == instruction]

    def environment(self, stage: int = -1) -> dict[str, str]:
        pairs = (word.partition("=") for line in self.all("ENV", stage) for word in line.split())
        return {name: value for name, _, value in pairs}
