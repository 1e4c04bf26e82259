"""Prometheus's own tool reads our configuration, runs the rules' tests, and understands every query of the dashboards. `./smsgw test monitoring`."""

import json
import re
import subprocess
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"


def promtool(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = ["promtool", *map(str, arguments)]
    return subprocess.run(command, cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "command", [("check", "config", "prometheus.yml"), ("check", "rules", "alerts.yml"), ("test", "rules", "alerts.test.yml")]
)
def test_prometheus_takes_it(command):
    done = promtool(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout + done.stderr


def test_a_rule_that_never_fires_is_found(tmp_path):
    """What the rules' tests are worth: one threshold changed, and they fail."""
    rules = (DEPLOY / "prometheus/alerts.yml").read_text()
    changed = rules.replace('{lane="otp"}) > 15', '{lane="otp"}) > 1500')
    assert changed != rules
    (tmp_path / "alerts.yml").write_text(changed)
    (tmp_path / "alerts.test.yml").write_text((DEPLOY / "prometheus/alerts.test.yml").read_text())
    assert promtool("test", "rules", tmp_path / "alerts.test.yml").returncode != 0


@pytest.mark.parametrize("dashboard", sorted((DEPLOY / "grafana/dashboards").glob("*.json")), ids=lambda path: path.stem)
def test_every_query_of_a_dashboard_is_one(dashboard, tmp_path):
    queries = [target["expr"] for panel in json.loads(dashboard.read_text())["panels"] for target in panel.get("targets", ())]
    assert len(queries) > 8
    # As rules, with what Grafana fills in: promtool has no other way to read a query alone.
    filled = [re.sub(r"\$__rate_interval", "5m", query).replace("$provider", ".+") for query in queries]
    rules = {"groups": [{"name": "queries", "rules": [{"record": f"query:{index}", "expr": query} for index, query in enumerate(filled)]}]}
    (tmp_path / "queries.yml").write_text(json.dumps(rules))
    done = promtool("check", "rules", tmp_path / "queries.yml")
    assert done.returncode == 0, done.stdout + done.stderr
