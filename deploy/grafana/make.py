"""
Makes the dashboards from the panels below: `python deploy/grafana/make.py [--check]`.

A dashboard's JSON is some thousand lines that nobody reads; what matters of a panel is its title, its queries and their unit.
Format: https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""  # noqa: INP001 - a script, no package

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "dashboards"
SOURCE = {"type": "prometheus", "uid": "${source}"}
WIDTH, HEIGHT = 24, 8


@dataclass(frozen=True, kw_only=True)
class Panel:
    title: str
    #: Legend to query.
    queries: dict[str, str]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    description: str = ""
    #: For a stat: the value from which it is red, or, where `good` is 1, below which it is.
    bad_from: float | None = None
    good: float | None = None
    stacked: bool = False


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    uid: str
    title: str
    rows: dict[str, list[Panel]] = field(default_factory=dict)


def rate(metric: str, by: str, selector: str = "", window: str = "$__rate_interval") -> str:
    return f"sum by ({by}) (rate({metric}{selector}[{window}]))"


def quantile(q: float, metric: str, by: str = "", selector: str = "") -> str:
    labels = ", ".join(filter(None, ("le", by)))
    return f"histogram_quantile({q}, sum by ({labels}) (rate({metric}_bucket{selector}[$__rate_interval])))"


_SEND = '{route="/v1/messages"}'
OVERVIEW = Dashboard(
    uid="smsgw-overview",
    title="SMS gateway",
    rows={
        "Is it healthy?": [
            Panel(title="Broker", queries={"": "min(smsgw_broker_up)"}, kind="stat", width=3, good=1),
            Panel(title="Read model", queries={"": "min(smsgw_cache_ready)"}, kind="stat", width=3, good=1),
            Panel(title="Database", queries={"": "max(smsgw_database_up)"}, kind="stat", width=3, good=1),
            Panel(
                title="Circuits open",
                queries={"": "sum(max by (provider) (smsgw_provider_circuit_open))"},
                kind="stat",
                width=3,
                bad_from=1,
            ),
            Panel(title="Pauses", queries={"": "max(smsgw_pauses)"}, kind="stat", width=3, bad_from=1),
            Panel(title="Parked", queries={"": "max(smsgw_parked_messages)"}, kind="stat", width=3, bad_from=1),
            Panel(title="Weeks of partitions ahead", queries={"": "min(smsgw_partition_weeks_ahead)"}, kind="stat", width=3, good=2),
            Panel(
                title="Longest silence of a sweeper",
                queries={"": "max(time() - (smsgw_sweeper_last_success_timestamp_seconds{sweeper!~'retention|leftovers'} > 0))"},
                kind="stat",
                unit="s",
                width=3,
                bad_from=300,
            ),
        ],
        "Is it fast?": [
            Panel(
                title="Accepted and ended",
                queries={
                    "accepted": "sum(rate(smsgw_messages_accepted_total[$__rate_interval]))",
                    "stored": "sum(rate(smsgw_stored_total[$__rate_interval]))",
                    "ended": "sum(rate(smsgw_messages_ended_total[$__rate_interval]))",
                },
                unit="mps",
            ),
            Panel(
                title="Answering a send",
                queries={f"p{int(q * 100)}": quantile(q, "smsgw_http_request_seconds", selector=_SEND) for q in (0.5, 0.95, 0.99)},
                unit="s",
            ),
            Panel(title="Oldest waiting message", queries={"{{lane}}": "max by (lane) (smsgw_oldest_due_seconds)"}, unit="s"),
            Panel(title="Waiting for a provider", queries={"{{lane}}": "max by (lane) (smsgw_waiting_messages)"}, stacked=True),
            Panel(
                title="Requests to providers, 95 of 100 are faster",
                queries={"{{provider}}": quantile(0.95, "smsgw_provider_request_seconds", "provider")},
                unit="s",
            ),
            Panel(
                title="What else waits",
                queries={
                    "reports": "max(smsgw_unjudged_callbacks)",
                    "webhooks": "max(smsgw_webhooks_due)",
                    "statuses to show": "max(smsgw_projection_due)",
                },
            ),
        ],
        "What fails?": [
            Panel(title="How messages end", queries={"{{status}}": rate("smsgw_messages_ended_total", "status")}, unit="mps", stacked=True),
            Panel(title="Errors that clients get", queries={"{{code}}": rate("smsgw_problems_total", "code")}, unit="reqps", stacked=True),
            Panel(
                title="Answers by status", queries={"{{status}}": rate("smsgw_http_requests_total", "status")}, unit="reqps", stacked=True
            ),
            Panel(title="Tries of webhooks", queries={"{{result}}": rate("smsgw_webhook_tries_total", "result")}, unit="ops", stacked=True),
            Panel(title="Messages from people", queries={"{{verdict}}": rate("smsgw_inbound_total", "verdict")}, unit="mps", stacked=True),
            Panel(title="Opt-outs", queries={"{{change}} by {{source}}": rate("smsgw_opt_outs_total", "change, source")}, unit="ops"),
        ],
    },
)

_ONE = '{provider=~"$provider"}'
_ENDED = '{provider=~"$provider",status=~"delivered|undelivered|failed|unknown"}'
PROVIDERS = Dashboard(
    uid="smsgw-providers",
    title="SMS gateway: providers",
    rows={
        "Does it arrive?": [
            Panel(
                title="Delivered, of what ended",
                description="Nothing where nothing has ended lately.",
                queries={
                    "{{provider}}": rate("smsgw_messages_ended_total", "provider", '{provider=~"$provider",status="delivered"}', "30m")
                    + " / "
                    + rate("smsgw_messages_ended_total", "provider", _ENDED, "30m")
                },
                unit="percentunit",
            ),
            Panel(
                title="How messages end",
                queries={"{{provider}} {{status}}": rate("smsgw_messages_ended_total", "provider, status", _ONE)},
                unit="mps",
            ),
            Panel(
                title="Reports", queries={"{{provider}} {{verdict}}": rate("smsgw_receipts_total", "provider, verdict", _ONE)}, unit="ops"
            ),
        ],
        "Does it answer?": [
            Panel(
                title="Outcomes of attempts",
                queries={"{{provider}} {{outcome}}": rate("smsgw_attempts_total", "provider, outcome", _ONE)},
                unit="mps",
                stacked=True,
            ),
            Panel(
                title="How long it takes",
                queries={
                    f"{{{{provider}}}} p{int(q * 100)}": quantile(q, "smsgw_provider_request_seconds", "provider", _ONE)
                    for q in (0.5, 0.95)
                },
                unit="s",
            ),
            Panel(
                title="Results of requests",
                queries={"{{provider}} {{result}}": rate("smsgw_provider_request_seconds_count", "provider, result", _ONE)},
                unit="reqps",
            ),
        ],
        "What is left in its account?": [
            Panel(
                title="Balance, in the account's own currency",
                queries={
                    "{{provider}}": f"max by (provider) (smsgw_provider_balance{_ONE})",
                    "{{provider}}: low below": f"max by (provider) (smsgw_provider_low_balance{_ONE})",
                },
            ),
            Panel(
                title="Since it was last told",
                queries={"{{provider}}": f"time() - max by (provider) (smsgw_provider_balance_told_timestamp_seconds{_ONE})"},
                unit="s",
            ),
        ],
        "Is it ill?": [
            Panel(title="Circuit open", queries={"{{provider}}": f"max by (provider) (smsgw_provider_circuit_open{_ONE})"}),
            Panel(
                title="Circuits that change",
                queries={"{{provider}} {{change}}": rate("smsgw_circuit_changes_total", "provider, change", _ONE)},
            ),
            Panel(
                title="Look-ups of unknown outcomes",
                queries={"{{provider}} {{found}}": rate("smsgw_lookups_total", "provider, found", _ONE)},
            ),
        ],
    },
)
DASHBOARDS = (OVERVIEW, PROVIDERS)


def document(dashboard: Dashboard) -> dict[str, Any]:
    panels = list(_panels(dashboard))
    variables: list[dict[str, Any]] = [{"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}]
    if any("$provider" in query for row in dashboard.rows.values() for panel in row for query in panel.queries.values()):
        variables.append(
            {
                "name": "provider",
                "type": "query",
                "label": "Provider",
                "datasource": SOURCE,
                "query": {"query": "label_values(smsgw_attempts_total, provider)", "refId": "provider"},
                "refresh": 2,
                "multi": True,
                "includeAll": True,
                "allValue": ".+",
                "current": {"text": "All", "value": "$__all"},
            }
        )
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["smsgw"],
        "timezone": "utc",
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "schemaVersion": 39,
        "editable": True,
        "templating": {"list": variables},
        "panels": panels,
    }


def _panels(dashboard: Dashboard) -> Iterator[dict[str, Any]]:
    number, top = 1, 0
    for title, panels in dashboard.rows.items():
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "gridPos": {"h": 1, "w": WIDTH, "x": 0, "y": top},
            "panels": [],
        }
        number, top, left = number + 1, top + 1, 0
        height = 4 if panels[0].kind == "stat" else HEIGHT
        for panel in panels:
            if left + panel.width > WIDTH:
                top, left = top + height, 0
            yield _panel(panel, number, {"h": height, "w": panel.width, "x": left, "y": top})
            number, left = number + 1, left + panel.width
        top += height


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0}
    if panel.kind == "stat":
        bad_below = panel.good is not None
        steps = [
            {"color": "red" if bad_below else "green", "value": None},
            {"color": "green" if bad_below else "red", "value": panel.good or panel.bad_from},
        ]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    elif panel.stacked:
        defaults["custom"] = {"stacking": {"mode": "normal"}, "fillOpacity": 30}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": SOURCE, "expr": query, "legendFormat": legend or "__auto"}
            for index, (legend, query) in enumerate(panel.queries.items())
        ],
    }


def written(dashboard: dict[str, Any]) -> str:
    """A line a panel, so that a change to one is one line of a diff."""
    panels = ",\n  ".join(json.dumps(panel) for panel in dashboard["panels"])
    rest = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in dashboard.items() if name != "panels"]
    return "{\n" + ",\n".join([*rest, f' "panels": [\n  {panels}\n ]']) + "\n}\n"


def main() -> None:
    stale = []
    for dashboard in DASHBOARDS:
        path = FOLDER / f"{dashboard.uid}.json"
        text = written(document(dashboard))
        if not path.exists() or path.read_text() != text:
            stale.append(path.name)
            if "--check" not in sys.argv[1:]:
                path.write_text(text)
    if stale and "--check" in sys.argv[1:]:
        sys.exit(f"not as the panels have it: {', '.join(stale)}; run: python deploy/grafana/make.py")


if __name__ == "__main__":
    main()
