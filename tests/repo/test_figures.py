"""That what the pages say was measured is what the figures beside them have, and that no edit takes a part of a page away."""

import json
import re

import pytest

FIGURES = "docs/explanation/figures"
#: What a sceptic looks for; a page may have more.
PARTS = {
    "proofs": [
        "The method",
        "How do you know that the oracle can see a loss?",
        "What it has found",
        "Figures",
        "What is not covered, and why",
        "Questions a sceptic asks",
        "Repeat it",
    ],
    "performance": ["`bench accept`", "`bench batch`", "`bench pipeline`", "`bench growth`", "What was not measured"],
}


def page(root, name: str) -> str:
    return (root / "docs/explanation" / f"{name}.md").read_text()


def figures(root, name: str):
    return json.loads((root / FIGURES / f"{name}.json").read_text())


@pytest.mark.parametrize("name", PARTS)
def test_a_page_has_all_its_parts_in_their_order(root, name):
    found = re.findall(r"^## (.+)$", page(root, name), re.MULTILINE)
    assert [part for part in found if part in PARTS[name]] == PARTS[name]


def test_the_passes_that_are_published_are_those_of_the_page(root):
    text = page(root, "proofs")
    for each in figures(root, "chaos")["passes"]:
        scenarios = each["scenarios"]
        held = sum(one["held"] for one in scenarios)
        assert f"{held} of {len(scenarios)}" in text
        for count in ("attempted", "acknowledged", "ok"):
            assert f"{sum(one[count] for one in scenarios):,}" in text, count


def test_the_soak_that_is_published_is_that_of_the_page(root):
    text, soak = page(root, "proofs"), figures(root, "soak")
    for count in ("attempted", "acknowledged", "ok", "recovered"):
        assert f"{soak[count]:,}" in text, count
    assert soak["lost"] == soak["duplicated"] == soak["unexpected"] == soak["stuck"] == 0


def test_every_rate_that_is_published_is_that_of_a_run(root):
    text, load = page(root, "performance"), figures(root, "load")
    runs = [run for way in ("pipeline", "reports", "webhooks") for each in load[way].values() for run in each]
    missing = [run["messages_per_second"] for run in runs if f"{run['messages_per_second']:,.0f}" not in text]
    missing += [
        run[which]["requests_per_second"]
        for each in load["accept"].values()
        for run in each
        for which in ("baseline", "gateway")
        if f"{run[which]['requests_per_second']:,.0f}" not in text
    ]
    missing += [
        run["recipients_per_second"]
        for each in load["batch"].values()
        for run in each
        if f"{run['recipients_per_second']:,.0f}" not in text
    ]
    assert missing == []
    assert all(run["lost"] == 0 and not run["problems"] for run in runs)
