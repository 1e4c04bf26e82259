"""Providers as selection sees them: all of them at one moment, arranged for choosing."""

from collections.abc import Iterable
from dataclasses import dataclass

from sms_contract.phone import region


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A provider as selection sees it."""

    slug: str
    active: bool = True
    priority: int = 0
    weight: int = 1
    prefixes: tuple[str, ...] = ()  #: `+44`
    regions: frozenset[str] = frozenset()  #: `GB`
    test: bool = False
    throughput: float | None = None  #: segments a second, cluster-wide
    denied_prefixes: tuple[str, ...] = ()
    denied_regions: frozenset[str] = frozenset()

    @property
    def serves_everybody(self) -> bool:
        """Whether no country is named, nor denied."""
        return not (self.prefixes or self.regions or self.denied_prefixes or self.denied_regions)

    def serves(self, recipient: str) -> bool:
        """Whether it takes messages to this number; no countries named: all but those denied."""
        if recipient.startswith(self.denied_prefixes) or (self.denied_regions and region(recipient) in self.denied_regions):
            return False
        if not self.prefixes and not self.regions:
            return True
        return recipient.startswith(self.prefixes) or (bool(self.regions) and region(recipient) in self.regions)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """What an operator holds back from a provider."""

    provider: str
    client: str | None = None  #: None: everybody's
    lane: str | None = None


class Snapshot:
    """All providers at one moment, arranged for choosing."""

    __slots__ = ("by_slug", "first", "holds", "monitored", "ordered", "test", "tiers")

    def __init__(self, candidates: Iterable[Candidate], holds: Iterable[Hold] = ()) -> None:
        self.holds = tuple(holds)
        #: As smart selection would try them, the test provider and those that are off included.
        self.ordered = tuple(sorted(candidates, key=lambda c: (-c.priority, -c.weight, c.slug)))
        self.by_slug = {c.slug: c for c in self.ordered}
        #: Those that may fall ill: the built-in one never does.
        self.monitored = tuple(c.slug for c in self.ordered if not c.test)
        self.test = next((c for c in self.ordered if c.test), None)
        tiers: dict[int, list[Candidate]] = {}
        for candidate in self.ordered:
            if candidate.active and not candidate.test:
                tiers.setdefault(candidate.priority, []).append(candidate)
        #: Active ones by priority, the highest first.
        self.tiers = tuple(tuple(tier) for tier in tiers.values())
        #: The highest tier where everybody may have any message: what most messages need to know.
        self.first = list(self.tiers[0]) if self.tiers and all(c.serves_everybody for c in self.tiers[0]) else None

    def paused_for(self, client: str, lane: str) -> frozenset[str]:
        """Providers that get none of this client's messages of this lane."""
        if not self.holds:
            return frozenset()
        return frozenset(h.provider for h in self.holds if h.client in {None, client} and h.lane in {None, lane})
