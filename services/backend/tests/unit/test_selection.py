"""Which provider a message goes to: rules that hold for every set of providers, then the cases that people ask about."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_backend.routing.candidates import Candidate, Hold, Snapshot
from sms_backend.routing.selection import Because, Choice, Now, Skipped, choose

SLUGS = ("alpha", "beta", "gamma", "delta")
BRITISH = "+447911123456"

candidates = st.builds(
    Candidate,
    slug=st.sampled_from(SLUGS),
    active=st.booleans(),
    priority=st.integers(-2, 2),
    weight=st.integers(1, 5),
    prefixes=st.sampled_from([(), ("+44",), ("+1", "+4479")]),
    regions=st.sampled_from([frozenset(), frozenset({"GB"}), frozenset({"US"})]),
)
snapshots = st.lists(candidates, unique_by=lambda c: c.slug).map(lambda found: Snapshot([*found, Candidate(slug="test", test=True)]))
some = st.frozensets(st.sampled_from(SLUGS))


def chosen(providers: Snapshot, *, mode: str = "live", wanted=(), tried=(), open_circuits=(), seed: int = 0, **now) -> Choice:
    return choose(
        providers,
        mode=mode,
        recipient=BRITISH,
        wanted=wanted,
        tried=tried,
        rng=Random(seed),
        now=Now(open_circuits=open_circuits, **now),
    )


@given(snapshots, some, some, st.integers())
def test_smart_selection_takes_an_active_one_that_fits_and_no_better_one_was_free(providers, tried, ill, seed):
    choice = chosen(providers, tried=tried, open_circuits=ill, seed=seed)
    free = [c for c in providers.ordered if c.active and not c.test and c.serves(BRITISH) and c.slug not in tried and c.slug not in ill]
    if not free:
        assert choice.provider is None
        return
    assert choice.provider in {c.slug for c in free}
    assert providers.by_slug[choice.provider].priority == max(c.priority for c in free)
    assert not choice.exhausted


@given(snapshots, some, some)
def test_a_round_is_over_only_when_somebody_well_has_had_his_turn(providers, tried, ill):
    choice = chosen(providers, tried=tried, open_circuits=ill)
    eligible = [c for c in providers.ordered if c.active and not c.test and c.serves(BRITISH)]
    well = [c for c in eligible if c.slug not in ill]
    if choice.provider is None:
        assert choice.exhausted == bool(well)
        if eligible and not well:
            assert choice.chosen_because is Because.CIRCUITS_OPEN
        if not eligible:
            assert choice.chosen_because is Because.NONE_FITS


@given(snapshots, st.lists(st.sampled_from([*SLUGS, "test", "gone"]), min_size=1, unique=True), some, some)
def test_a_list_is_exclusive_and_in_order(providers, wanted, tried, ill):
    choice = chosen(providers, wanted=wanted, tried=tried, open_circuits=ill)
    usable = [
        slug
        for slug in wanted
        if slug in providers.by_slug and slug != "test" and providers.by_slug[slug].active and slug not in tried and slug not in ill
    ]
    assert choice.provider == (usable[0] if usable else None)
    assert set(choice.skipped) <= set(wanted)


@given(snapshots, st.lists(st.sampled_from([*SLUGS, "test"]), unique=True))
def test_test_mode_reaches_the_test_provider_whatever_is_wanted(providers, wanted):
    assert chosen(providers, mode="test", wanted=wanted).provider == "test"


@given(snapshots, st.integers())
def test_live_mode_never_reaches_the_test_provider(providers, seed):
    assert chosen(providers, seed=seed).provider != "test"


@given(snapshots, some, some, st.integers())
def test_the_same_facts_and_dice_give_the_same_choice(providers, tried, ill, seed):
    first = chosen(providers, tried=tried, open_circuits=ill, seed=seed)
    assert first == chosen(providers, tried=tried, open_circuits=ill, seed=seed)


def test_equals_are_drawn_by_weight():
    providers = Snapshot([Candidate(slug="alpha", weight=3), Candidate(slug="beta", weight=1)])
    drawn = Counter(chosen(providers, seed=seed).provider for seed in range(4000))
    assert drawn["alpha"] / 4000 == pytest.approx(0.75, abs=0.03)


def test_the_decision_says_who_was_skipped_and_why():
    providers = Snapshot(
        [
            Candidate(slug="alpha", priority=9, regions=frozenset({"US"})),
            Candidate(slug="beta", priority=5),
            Candidate(slug="gamma", priority=5),
            Candidate(slug="delta"),
        ]
    )
    choice = chosen(providers, tried=["beta"], open_circuits=["gamma"])
    assert choice.decision() == {
        "chosen": "delta",
        "because": "priority",
        "skipped": {"alpha": "country", "beta": "tried", "gamma": "circuit_open"},
    }


def test_a_disabled_or_forgotten_provider_holds_a_message_that_wants_no_other():
    providers = Snapshot([Candidate(slug="alpha", active=False), Candidate(slug="beta")])
    choice = chosen(providers, wanted=["alpha", "gone"])
    assert choice == Choice(
        provider=None, chosen_because=Because.NONE_FITS, skipped={"alpha": Skipped.DISABLED, "gone": Skipped.UNKNOWN}, exhausted=False
    )


def test_whoever_refused_this_sender_lately_is_the_last_to_be_asked_but_is_asked():
    providers = Snapshot([Candidate(slug="alpha", priority=1), Candidate(slug="beta")])
    choice = chosen(providers, avoided=["alpha"])
    assert (choice.provider, choice.skipped) == ("beta", {"alpha": Skipped.AVOIDED})
    choice = chosen(providers, avoided=["alpha"], tried=["beta"])
    assert (choice.provider, choice.skipped) == ("alpha", {"beta": Skipped.TRIED})
    assert chosen(providers, avoided=["alpha", "beta"]).provider == "alpha"


def test_a_list_is_kept_to_whatever_was_refused_lately():
    providers = Snapshot([Candidate(slug="alpha"), Candidate(slug="beta")])
    assert chosen(providers, wanted=["beta", "alpha"], avoided=["beta"]).provider == "beta"


def test_whoever_has_no_tokens_is_passed_over_and_waited_for_where_nobody_else_is():
    providers = Snapshot([Candidate(slug="alpha", priority=1), Candidate(slug="beta")])
    choice = chosen(providers, throttled=["alpha"])
    assert (choice.provider, choice.skipped) == ("beta", {"alpha": Skipped.THROUGHPUT})
    choice = chosen(providers, throttled=["alpha"], tried=["beta"])
    assert (choice.provider, choice.chosen_because, choice.exhausted) == (None, Because.THROUGHPUT, False)


def test_a_denied_country_is_not_served_whatever_is_allowed():
    providers = Snapshot(
        [Candidate(slug="alpha", prefixes=("+44",), denied_prefixes=("+4479",)), Candidate(slug="beta", denied_regions={"GB"})]
    )
    choice = chosen(providers)
    assert (choice.provider, choice.skipped) == (None, {"alpha": Skipped.COUNTRY, "beta": Skipped.COUNTRY})


def test_a_paused_provider_holds_what_only_it_could_take_and_leaves_the_rest_to_others():
    providers = Snapshot([Candidate(slug="alpha", priority=1), Candidate(slug="beta")], [Hold(provider="alpha", lane="promotional")])
    assert providers.paused_for("c0ffee000001", "otp") == frozenset()
    held = providers.paused_for("c0ffee000001", "promotional")
    assert chosen(providers, paused=held).provider == "beta"
    choice = chosen(providers, wanted=["alpha"], paused=held)
    assert (choice.provider, choice.chosen_because, choice.exhausted) == (None, Because.NONE_FITS, False)


def test_a_provider_that_only_waits_keeps_alive_what_everybody_else_has_declined():
    providers = Snapshot([Candidate(slug="alpha"), Candidate(slug="beta")])
    unsuitable = {"mode": "live", "recipient": BRITISH, "tried": (), "rng": Random(1), "unsuitable": ["alpha"]}
    for now in (Now(paused=["beta"]), Now(open_circuits=["beta"])):
        assert not choose(providers, wanted=(), now=now, **unsuitable).exhausted
    both = choose(providers, wanted=(), **(unsuitable | {"unsuitable": ["alpha", "beta"]}))
    assert (both.chosen_because, both.exhausted) == (Because.ALL_UNSUITABLE, True)
