"""That the account of the chaos suite sees each violation, and that every mutation still fits the code that it spoils."""

import ast
import subprocess
import sys
from dataclasses import replace

import pytest
from chaos.account import Attempted, Charge, Rules, Stored, Taken, settle
from chaos.mutations import BY_NAME, MUTATIONS
from chaos.patches import Change, StaleError
from chaos.scenarios import SCENARIOS
from chaos.system import Variation
from chaos.upgrade import NEXT

DOUBT = Rules(ends=frozenset({"delivered", "unknown"}), doubt=True)
ATTEMPTED = Attempted(text="a", client="c", tracking_ids=("1",))
STORED = Stored(
    id="1", client="c", text="a", status="delivered", on_unknown="resend", shown="delivered", charged=1, leases={1: 100.0, 2: 200.0}
)
TAKEN = Taken(text="a", attempt=1, at=90.0)
CHARGE = Charge(client="c", counter=1, usage=1, pending=0)


def account(*, attempted=(ATTEMPTED,), stored=(STORED,), taken=(TAKEN,), charges=(CHARGE,), **more):
    return settle(attempted=attempted, stored=stored, taken=taken, charges=charges, **{"aliases": {}, **more})


def test_one_message_that_goes_its_way_is_clean():
    clean = account()
    assert (clean.attempted, clean.acknowledged, clean.ok, clean.problems) == (1, 1, 1, [])


def test_a_second_id_that_answers_for_the_first_is_clean():
    both = replace(ATTEMPTED, tracking_ids=("1", "2"))
    clean = account(attempted=[both], aliases={"2": "1"})
    assert (clean.acknowledged, clean.ok, clean.problems) == (1, 1, [])
    assert account(attempted=[both]).lost == ["2 was acknowledged and is not in PostgreSQL"]


def test_what_got_through_without_a_clear_answer_is_recovered_and_not_lost():
    unclear = replace(ATTEMPTED, unclear=True)
    assert (account(attempted=[unclear]).recovered, account(attempted=[unclear]).problems) == (1, [])


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"stored": [], "taken": []}, "lost", "is not in PostgreSQL"),
        ({"taken": []}, "lost", "shown as delivered, and no provider took it"),
        ({"stored": [replace(STORED, status="failed")]}, "lost", "ended as failed"),
        ({"stored": [replace(STORED, status="unknown", unknown_attempts={1: "reset"})]}, "lost", "ended as unknown"),
        ({"stored": [replace(STORED, status="unknown")], "rules": DOUBT}, "unexpected", "shown as unknown, and a provider took it"),
        ({"stored": [STORED, replace(STORED, id="2")]}, "duplicated", "2 messages for one key"),
        ({"taken": [TAKEN, TAKEN]}, "duplicated", "was taken 2 times"),
        ({"taken": [TAKEN, replace(TAKEN, attempt=2)]}, "duplicated", "attempts [1, 2]"),
        ({"taken": [TAKEN, replace(TAKEN, attempt=2)], "rules": DOUBT}, "duplicated", "attempts [1, 2]"),
        (
            {"taken": [TAKEN, replace(TAKEN, attempt=2)], "stored": [replace(STORED, on_unknown="hold", resends=1)], "rules": DOUBT},
            "duplicated",
            "hold",
        ),
        ({"taken": [TAKEN, replace(TAKEN, text="b")]}, "unexpected", "nobody asked for it: b"),
        ({"stored": [STORED, replace(STORED, id="2", text="b")]}, "unexpected", "stored, and nobody asked for it"),
        ({"taken": [replace(TAKEN, at=101.0)]}, "unexpected", "1.0 s after its lease had run out"),
        ({"attempted": [replace(ATTEMPTED, tracking_ids=())], "stored": [], "charges": []}, "unexpected", "not in PostgreSQL"),
        ({"answers": ["answered 401"]}, "unexpected", "answered 401"),
        (
            {"attempted": [replace(ATTEMPTED, tracking_ids=("2",))], "aliases": {"2": "1"}, "stored": [replace(STORED, text="b")]},
            "unexpected",
            "",
        ),
        ({"stored": [replace(STORED, status="sending")]}, "stuck", "is still sending"),
        ({"stored": [replace(STORED, status="sent")]}, "stuck", "is still sent"),
        ({"stored": [replace(STORED, shown="sent")]}, "stuck", "shown as sent"),
        ({"stored": [replace(STORED, shown=None)]}, "stuck", "shown as None"),
        ({"attempted": [replace(ATTEMPTED, tracking_ids=())]}, "unanswered", "a"),
        ({"charges": [replace(CHARGE, counter=0)]}, "quota", "undercharged"),
        ({"charges": [replace(CHARGE, usage=2)]}, "quota", "PostgreSQL has charged 2"),
        ({"charges": [replace(CHARGE, counter=3, pending=1)]}, "quota", "2 segments too many"),
        (
            {"attempted": [replace(ATTEMPTED, canceled=True)], "stored": [replace(STORED, status="canceled", shown="canceled")]},
            "unexpected",
            "canceled, and a provider took it",
        ),
    ],
)
def test_every_violation_is_found(changes, kind, said):
    found = account(**changes)
    assert any(said in each for each in getattr(found, kind)), found
    assert any(problem.startswith(kind) for problem in found.problems)


def test_what_nobody_can_know_is_listed_and_no_violation():
    resent = replace(STORED, resends=1, unknown_attempts={1: "reset"})
    twice = account(taken=[TAKEN, replace(TAKEN, attempt=2)], stored=[resent], rules=DOUBT)
    assert twice.problems == []
    assert twice.twice == ["1 was taken for attempts [1, 2] (attempt 1: reset; resend)"]
    held = replace(STORED, status="unknown", on_unknown="hold", unknown_attempts={1: "reset"})
    unknown = account(taken=[], stored=[held], rules=DOUBT)
    assert (unknown.problems, unknown.unknown, unknown.ok) == ([], ["1 (attempt 1: reset; hold)"], 0)


def test_where_every_send_is_told_of_nothing_stays_in_doubt():
    told = replace(DOUBT, told=True)
    held = replace(STORED, status="unknown", on_unknown="hold", unknown_attempts={1: "silent"}, shown="unknown")
    assert account(stored=[held], rules=told).stuck == ["1 stayed unknown, and its report had come"]
    assert account(stored=[held], taken=[], rules=told).problems == []


def test_every_scenario_is_the_finder_of_a_mutation():
    assert set(SCENARIOS) - {name for mutation in MUTATIONS for name in mutation.scenarios} == set()


def test_where_all_must_be_settled_a_reservation_that_is_pending_is_a_violation():
    charges = [replace(CHARGE, counter=3, pending=2)]
    assert "2 reservations that nobody has settled" in account(charges=charges, rules=Rules(settled=True)).quota[0]


def test_a_reservation_that_is_pending_may_be_charged_for_a_while():
    assert account(charges=[replace(CHARGE, counter=3, pending=2)]).problems == []


@pytest.mark.parametrize("mutation", MUTATIONS, ids=BY_NAME)
def test_every_mutation_fits_the_code_and_names_scenarios_that_are_there(mutation):
    assert set(mutation.scenarios) <= set(SCENARIOS)
    for file, content in mutation.patch.changed().items():
        if file.endswith(".py"):
            ast.parse(content)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=BY_NAME)
def test_every_mutation_names_only_what_there_is(mutation):
    """Else it ends by its own mistake, which says nothing of the scenario that finds it."""
    for file, content in mutation.patch.changed().items():
        if file.endswith(".py"):
            command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821", "--output-format", "concise", "-"]
            done = subprocess.run(command, input=content, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout


def test_the_next_version_fits_the_code():
    assert len(NEXT.changed()) == 2


def test_a_change_that_does_not_fit_says_so():
    with pytest.raises(StaleError, match="has 0 times"):
        Change(file="a.py", old="x = 1", new="x = 2").applied("x = 3")


def test_every_scenario_says_what_it_proves_and_to_which_failure_it_belongs():
    assert all(len(one.proves) > 30 and one.number.startswith("F") for one in SCENARIOS.values())
    assert sum(one.fast for one in SCENARIOS.values()) >= 5


def test_a_mutant_runs_in_the_scenarios_variation():
    """As where a worker with other code is to have another clock too."""
    clock = Variation(environment={"LANG": "C", "TZ": "UTC"}, prefix=("faketime", "+2h"))
    both = Variation(environment={"PYTHONPATH": "spoilt", "TZ": "CET"}, prefix=("nice",)).over(clock)
    assert both == Variation(environment={"LANG": "C", "TZ": "CET", "PYTHONPATH": "spoilt"}, prefix=("faketime", "+2h", "nice"))
    assert clock.over(None) is clock
