"""
Which provider a message goes to next: a pure function of what is known at the claim.

A message that names providers uses those, in that order and none else. Every other goes to the active providers that fit, the highest
priority first, among equals at random by weight. Test mode knows the `test` provider and nothing else, and nothing else knows it.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from sms_contract.phone import region
from sms_contract.status import Mode


class Skipped(StrEnum):
    """Why a provider was passed over."""

    UNKNOWN = "unknown"  #: there is none of that name, any more
    DISABLED = "disabled"  #: an operator has taken it out
    TEST_ONLY = "test_only"  #: the built-in `test` provider, asked for by a live message
    COUNTRY = "country"  #: it does not serve the recipient's country
    AVOIDED = "avoided"  #: it refused this sender or destination a short while ago
    CIRCUIT_OPEN = "circuit_open"  #: it is ill; a probe goes through now and then
    TRIED = "tried"  #: it has had its turn in this round


class Because(StrEnum):
    """Why this provider was chosen, or why none was."""

    LISTED = "listed"  #: the next in the message's own list
    PRIORITY = "priority"  #: alone with the highest priority of those that fit
    WEIGHT = "weight"  #: drawn by weight among equals
    TEST_MODE = "test_mode"
    ALL_TRIED = "all_tried"  #: the round is over
    CIRCUITS_OPEN = "circuits_open"  #: wait: no round is used up by that
    NONE_FITS = "none_fits"  #: hold: there is nobody who would take it, for now


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

    def serves(self, recipient: str) -> bool:
        """Whether it takes messages to this number; no countries named: all."""
        if not self.prefixes and not self.regions:
            return True
        return recipient.startswith(self.prefixes) or (bool(self.regions) and region(recipient) in self.regions)


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The provider to try now, or None, and why."""

    provider: str | None
    chosen_because: Because
    skipped: dict[str, Skipped] = field(default_factory=dict)
    exhausted: bool = False  #: everyone who could have it has been tried in this round

    def decision(self) -> dict[str, object]:
        """What is stored with the attempt."""
        return {
            "chosen": self.provider,
            "because": self.chosen_because.value,
            "skipped": {slug: why.value for slug, why in self.skipped.items()},
        }


class Snapshot:
    """All providers at one moment, arranged for choosing."""

    __slots__ = ("by_slug", "ordered", "test", "tiers")

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        #: As smart selection would try them, the test provider and those that are off included.
        self.ordered = tuple(sorted(candidates, key=lambda c: (-c.priority, c.slug)))
        self.by_slug = {c.slug: c for c in self.ordered}
        self.test = next((c for c in self.ordered if c.test), None)
        tiers: dict[int, list[Candidate]] = {}
        for candidate in self.ordered:
            if candidate.active and not candidate.test:
                tiers.setdefault(candidate.priority, []).append(candidate)
        #: Active ones by priority, the highest first.
        self.tiers = tuple(tuple(tier) for tier in tiers.values())


def choose(
    providers: Snapshot,
    *,
    mode: str,
    recipient: str,
    sender: str | None,  # noqa: ARG001 - part of the seam: allowed senders a provider
    segments: int,  # noqa: ARG001 - part of the seam: a provider's longest message
    wanted: Sequence[str],
    tried: Collection[str],
    open_circuits: Collection[str],
    rng: Random,
    avoided: Collection[str] = (),
) -> Choice:
    """
    The next provider of this round.

    `wanted` is the message's own list, `tried` who has had a turn in this round, `avoided` who refused this sender lately. `open_circuits`
    holds those that may not be called now; whoever may be probed is left out by the caller.
    """
    if mode == Mode.TEST:
        return _in_test_mode(providers, tried, open_circuits)
    if wanted:
        return _listed(providers, wanted, tried, open_circuits, avoided)
    skipped: dict[str, Skipped] = {}
    for tier in providers.tiers:
        fit: list[Candidate] = []
        for candidate in tier:
            why = Skipped.COUNTRY if not candidate.serves(recipient) else _passed_over(candidate, tried, open_circuits, avoided)
            if why:
                skipped[candidate.slug] = why
            else:
                fit.append(candidate)
        if len(fit) == 1:
            return Choice(provider=fit[0].slug, chosen_because=Because.PRIORITY, skipped=skipped)
        if fit:
            return Choice(provider=_draw(fit, rng), chosen_because=Because.WEIGHT, skipped=skipped)
    return _none(skipped)


def _in_test_mode(providers: Snapshot, tried: Collection[str], open_circuits: Collection[str]) -> Choice:
    test = providers.test
    if test is None:
        return _none({})
    why = _passed_over(test, tried, open_circuits)
    return _none({test.slug: why}) if why else Choice(provider=test.slug, chosen_because=Because.TEST_MODE)


def _listed(
    providers: Snapshot, wanted: Sequence[str], tried: Collection[str], open_circuits: Collection[str], avoided: Collection[str]
) -> Choice:
    skipped: dict[str, Skipped] = {}
    for slug in wanted:
        candidate = providers.by_slug.get(slug)
        if candidate is None:
            skipped[slug] = Skipped.UNKNOWN
        elif candidate.test:
            skipped[slug] = Skipped.TEST_ONLY
        elif why := _passed_over(candidate, tried, open_circuits, avoided):
            skipped[slug] = why
        else:
            return Choice(provider=slug, chosen_because=Because.LISTED, skipped=skipped)
    return _none(skipped)


def _passed_over(
    candidate: Candidate, tried: Collection[str], open_circuits: Collection[str], avoided: Collection[str] = ()
) -> Skipped | None:
    slug = candidate.slug
    if not candidate.active:
        return Skipped.DISABLED
    # Before `tried`: while everyone is ill no round is used up, whoever had a turn before falling ill.
    if slug in open_circuits:
        return Skipped.CIRCUIT_OPEN
    if slug in tried:
        return Skipped.TRIED
    return Skipped.AVOIDED if slug in avoided else None


def _draw(candidates: list[Candidate], rng: Random) -> str:
    mark = rng.random() * sum(candidate.weight for candidate in candidates)
    for candidate in candidates:
        mark -= candidate.weight
        if mark < 0:
            return candidate.slug
    return candidates[-1].slug


def _none(skipped: dict[str, Skipped]) -> Choice:
    reasons = skipped.values()
    if Skipped.TRIED in reasons or Skipped.AVOIDED in reasons:
        return Choice(provider=None, chosen_because=Because.ALL_TRIED, skipped=skipped, exhausted=True)
    because = Because.CIRCUITS_OPEN if Skipped.CIRCUIT_OPEN in reasons else Because.NONE_FITS
    return Choice(provider=None, chosen_because=because, skipped=skipped)
