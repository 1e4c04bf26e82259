"""What a mutation is."""

from dataclasses import dataclass

from chaos.patches import Change, Patch


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """A way to be wrong."""

    patch: Patch
    wrong: str  #: in words
    scenarios: tuple[str, ...]  #: each must fail under it

    @property
    def name(self) -> str:
        return self.patch.name


def mutation(name: str, wrong: str, scenarios: tuple[str, ...], *changes: tuple[str, str, str]) -> Mutation:
    """`changes`: a file, lines of it that are there exactly once, and what stands in their place."""
    made = tuple(Change(file=file, old=old, new=new) for file, old, new in changes)
    return Mutation(patch=Patch(name=name, changes=made), wrong=wrong, scenarios=scenarios)
