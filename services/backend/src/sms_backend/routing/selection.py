"""
Which provider a message goes to next: a pure function of what is known at the claim.

A message that names providers uses those, in that order and none else. Every other goes to the active providers that fit, the highest
priority first, among equals at random by weight; those that refused this sender lately come last. Test mode knows the `test` provider
and nothing else, and nothing else knows it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from sms_backend.routing.candidates import Candidate, Snapshot
from sms_contract.status import Mode


class Skipped(StrEnum):
    """Why a provider was passed over."""

    UNKNOWN = "unknown"  #: there is none of that name, any more
    DISABLED = "disabled"  #: an operator has taken it out
    PAUSED = "paused"  #: an operator holds what would go to it
    TEST_ONLY = "test_only"  #: the built-in `test` provider, asked for by a live message
    COUNTRY = "country"  #: it does not serve the recipient's country
    AVOIDED = "avoided"  #: it refused this sender or destination a short while ago
    CIRCUIT_OPEN = "circuit_open"  #: it is ill; a probe goes through now and then
    TRIED = "tried"  #: it has had its turn in this round
    UNSUITABLE = "unsuitable"  #: it will not take this message: sender, destination or route
    THROUGHPUT = "throughput"  #: it gets as many segments a second as it takes


class Because(StrEnum):
    """Why this provider was chosen, or why none was."""

    LISTED = "listed"  #: the next in the message's own list
    PRIORITY = "priority"  #: alone with the highest priority of those that fit
    WEIGHT = "weight"  #: drawn by weight among equals
    SAME_AGAIN = "same_again"  #: it did not answer, and recognises what it has already: sending again is harmless there
    PROBE = "probe"  #: its circuit is open, and this is the call that tries it out
    TEST_MODE = "test_mode"
    ALL_TRIED = "all_tried"  #: the round is over
    ALL_UNSUITABLE = "all_unsuitable"  #: everyone who could have had it has said that it is not for him
    CIRCUITS_OPEN = "circuits_open"  #: wait: no round is used up by that
    THROUGHPUT = "throughput"  #: wait for a turn: no attempt is counted
    NONE_FITS = "none_fits"  #: hold: there is nobody who would take it, for now


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Now:
    """Who may not be called at the moment, or only if there is nobody else."""

    open_circuits: Collection[str] = ()  #: who may be probed is left out by the caller
    paused: Collection[str] = ()
    throttled: Collection[str] = ()  #: no tokens left
    avoided: Collection[str] = ()  #: refused this sender lately


NOTHING_SPECIAL = Now()


def choose(
    providers: Snapshot,
    *,
    mode: str,
    recipient: str,
    wanted: Sequence[str],
    tried: Collection[str],
    rng: Random,
    unsuitable: Collection[str] = (),
    now: Now = NOTHING_SPECIAL,
) -> Choice:
    """
    The next provider of this round.

    `wanted` is the message's own list, `tried` who has had a turn in this round, `unsuitable` who will not take this message.
    """
    if mode == Mode.TEST:
        return _in_test_mode(providers, tried, unsuitable, now)
    if wanted:
        return _listed(providers, wanted, tried, unsuitable, now)
    if now is NOTHING_SPECIAL and providers.first is not None and not tried and not unsuitable:
        return _one_of(providers.first, {}, rng)
    skipped: dict[str, Skipped] = {}
    last: list[Candidate] = []
    for tier in providers.tiers:
        fit: list[Candidate] = []
        for candidate in tier:
            why = Skipped.COUNTRY if not candidate.serves(recipient) else _passed_over(candidate, tried, unsuitable, now)
            if why is None and candidate.slug in now.avoided:
                why = Skipped.AVOIDED
                last.append(candidate)
            if why:
                skipped[candidate.slug] = why
            else:
                fit.append(candidate)
        if fit:
            return _one_of(fit, skipped, rng)
    if last:
        # Better a provider that may say no again than none at all.
        best = [candidate for candidate in last if candidate.priority == last[0].priority]
        return _one_of(best, {slug: why for slug, why in skipped.items() if why is not Skipped.AVOIDED}, rng)
    return _none(skipped)


def _one_of(fit: list[Candidate], skipped: dict[str, Skipped], rng: Random) -> Choice:
    if len(fit) == 1:
        return Choice(provider=fit[0].slug, chosen_because=Because.PRIORITY, skipped=skipped)
    return Choice(provider=_draw(fit, rng), chosen_because=Because.WEIGHT, skipped=skipped)


def _in_test_mode(providers: Snapshot, tried: Collection[str], unsuitable: Collection[str], now: Now) -> Choice:
    test = providers.test
    if test is None:
        return _none({})
    why = _passed_over(test, tried, unsuitable, now)
    return _none({test.slug: why}) if why else Choice(provider=test.slug, chosen_because=Because.TEST_MODE)


def _listed(providers: Snapshot, wanted: Sequence[str], tried: Collection[str], unsuitable: Collection[str], now: Now) -> Choice:
    skipped: dict[str, Skipped] = {}
    for slug in wanted:
        candidate = providers.by_slug.get(slug)
        if candidate is None:
            skipped[slug] = Skipped.UNKNOWN
        elif candidate.test:
            skipped[slug] = Skipped.TEST_ONLY
        elif why := _passed_over(candidate, tried, unsuitable, now):
            skipped[slug] = why
        else:
            return Choice(provider=slug, chosen_because=Because.LISTED, skipped=skipped)
    return _none(skipped)


def _passed_over(candidate: Candidate, tried: Collection[str], unsuitable: Collection[str], now: Now) -> Skipped | None:
    slug = candidate.slug
    if not candidate.active:
        return Skipped.DISABLED
    if slug in unsuitable:
        return Skipped.UNSUITABLE
    if slug in now.paused:
        return Skipped.PAUSED
    # Before `tried`: while everyone is ill no round is used up, whoever had a turn before falling ill.
    if slug in now.open_circuits:
        return Skipped.CIRCUIT_OPEN
    if slug in tried:
        return Skipped.TRIED
    return Skipped.THROUGHPUT if slug in now.throttled else None


def _draw(candidates: list[Candidate], rng: Random) -> str:
    mark = rng.random() * sum(candidate.weight for candidate in candidates)
    for candidate in candidates:
        mark -= candidate.weight
        if mark < 0:
            return candidate.slug
    return candidates[-1].slug


def _none(skipped: dict[str, Skipped]) -> Choice:
    reasons = skipped.values()
    if Skipped.THROUGHPUT in reasons:
        return Choice(provider=None, chosen_because=Because.THROUGHPUT, skipped=skipped)
    if Skipped.TRIED in reasons:
        return Choice(provider=None, chosen_because=Because.ALL_TRIED, skipped=skipped, exhausted=True)
    if Skipped.CIRCUIT_OPEN in reasons:
        return Choice(provider=None, chosen_because=Because.CIRCUITS_OPEN, skipped=skipped)
    if Skipped.UNSUITABLE in reasons and not {Skipped.PAUSED, Skipped.DISABLED} & set(reasons):
        return Choice(provider=None, chosen_because=Because.ALL_UNSUITABLE, skipped=skipped, exhausted=True)
    return Choice(provider=None, chosen_because=Because.NONE_FITS, skipped=skipped)
