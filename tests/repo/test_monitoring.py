"""Alerts and dashboards look at metrics that exist, by labels that they have, and each alert has its test and its page."""

import json
import re
import subprocess
import sys

import pytest
import yaml

_METRIC = re.compile(r"\bsmsgw_[a-z_]+")
_SELECTED = re.compile(r"\b(smsgw_[a-z_]+)\{([^}]*)\}")
_GROUPED = re.compile(r"by \(([^)]*)\)")
#: What Prometheus adds to each series, or a histogram to its own.
_ALWAYS = {"job", "instance", "le"}


@pytest.fixture(scope="module")
def known(root):
    """Metrics with their labels, as the reference lists them."""
    page = (root / "docs/reference/metrics.md").read_text()
    rows = re.findall(r"^\| `(smsgw_\w+)` \| (\w+) \| (.*?) \|", page, re.MULTILINE)
    found = {}
    for name, kind, labels in rows:
        names = [name] if kind != "histogram" else [name + suffix for suffix in ("_bucket", "_count", "_sum")]
        found |= dict.fromkeys(names, set(re.findall(r"`(\w+)`", labels)) | _ALWAYS)
    return found


@pytest.fixture(scope="module")
def rules(root):
    groups = yaml.safe_load((root / "deploy/prometheus/alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def queries_of(path) -> list[str]:
    return [target["expr"] for panel in json.loads(path.read_text())["panels"] for target in panel.get("targets", ())]


def strange(query: str, known: dict[str, set[str]]) -> list[str]:
    metrics = set(_METRIC.findall(query))
    wrong = [name for name in metrics if name not in known]
    for name, selector in _SELECTED.findall(query):
        wrong += [f"{name}{{{label}}}" for label in re.findall(r"(\w+)\s*[=!]~?\s*[\"']", selector) if label not in known.get(name, set())]
    able = set().union(*(known.get(name, set()) for name in metrics)) if metrics else set()
    wrong += [f"by ({label})" for group in _GROUPED.findall(query) for label in re.split(r",\s*", group) if metrics and label not in able]
    return wrong


def test_every_alert_asks_for_what_is_there(rules, known):
    assert len(rules) >= 15
    assert {rule["alert"]: wrong for rule in rules if (wrong := strange(rule["expr"], known))} == {}


def test_every_dashboard_does(root, known):
    dashboards = sorted((root / "deploy/grafana/dashboards").glob("*.json"))
    assert len(dashboards) == 2
    for path in dashboards:
        assert {query: wrong for query in queries_of(path) if (wrong := strange(query, known))} == {}, path.name


def test_a_metric_that_is_not_there_would_be_found(known):
    assert strange("sum(smsgw_never_heard_of_total)", known) == ["smsgw_never_heard_of_total"]
    assert strange('smsgw_stored_total{colour="red"}', known) == ["smsgw_stored_total{colour}"]
    assert strange("sum by (colour) (smsgw_stored_total)", known) == ["by (colour)"]


def test_every_alert_has_a_page_that_says_what_to_do(root, rules):
    page = (root / "docs/howto/runbook.md").read_text()
    anchors = {heading.lower() for heading in re.findall(r"^## (\w+)$", page, re.MULTILINE)}
    for rule in rules:
        path, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert (path, anchor in anchors) == ("docs/howto/runbook.md", True), rule["alert"]
        assert rule["labels"]["severity"] in {"page", "ticket"}


def test_every_alert_is_made_to_fire_by_a_test(root, rules):
    tested = (root / "deploy/prometheus/alerts.test.yml").read_text()
    assert [rule["alert"] for rule in rules if not re.search(rf"\b{rule['alert']}\b", tested)] == []


def test_the_dashboards_are_as_their_panels_have_them(root):
    done = subprocess.run([sys.executable, "deploy/grafana/make.py", "--check"], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
