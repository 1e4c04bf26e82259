"""What is running, where, and with which demo credentials: for people as a table, for programs as one document."""

import json
from typing import Any

from rich.table import Table

from sms_stack.errors import NotUp
from sms_stack.home import Home
from sms_stack.instance import APPLICATION, SIMULATOR, Instance, masked
from sms_stack.lifecycle import unready
from sms_stack.progress import results
from sms_stack.replicas import kind_of
from sms_stack.supervision import Supervisor


def document(home: Home) -> dict[str, Any]:
    """`./smsgw status --json`; also when nothing runs, and when nothing ever has."""
    supervisor = Supervisor(home)
    processes = supervisor.processes()
    try:
        instance = Instance.load(home)
    except NotUp:
        return {
            "ready": False,
            "gateway_url": None,
            "console_url": None,
            "simulator_url": None,
            "demo": None,
            "processes": [],
            "services": [],
        }
    simulated = SIMULATOR in processes and processes[SIMULATOR].pid is not None
    services = []
    for name, url in instance.service_urls.items():
        process = processes.get(name)
        services.append({"name": name, "url": url, "pid": process.pid if process else None, "managed": name not in instance.external})
    # What was started, with however many of each, and what should have been.
    application = list(dict.fromkeys([*APPLICATION, *(name for name in processes if kind_of(name) in APPLICATION)]))
    shown = [*(() if "rabbitmq" in instance.external else ("epmd",)), *application, *((SIMULATOR,) if simulated else ())]
    return {
        "ready": bool(processes) and not unready(instance, supervisor, application),
        "gateway_url": instance.gateway_url,
        "console_url": instance.web_url,
        "simulator_url": instance.simulator_url if simulated else None,
        "demo": demo_credentials(home),
        "processes": [
            {
                "name": name,
                "pid": processes[name].pid if name in processes else None,
                "state": processes[name].state if name in processes else "stopped",
                "log": str(home.log(name)),
            }
            for name in shown
        ],
        "services": services,
    }


def demo_credentials(home: Home) -> dict[str, str] | None:
    """What `demo` has made, if it has."""
    try:
        kept: dict[str, str] = json.loads((home.path / "demo.json").read_text())
    except (OSError, ValueError):
        return None
    return kept


def show(status: dict[str, Any]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("", "state", "pid", "where"):
        table.add_column(column)
    for service in status["services"]:
        state = ("running" if service["pid"] else "stopped") if service["managed"] else "not ours"
        table.add_row(service["name"], state, str(service["pid"] or ""), masked(service["url"]))
    for process in status["processes"]:
        table.add_row(process["name"], process["state"], str(process["pid"] or ""), process["log"])
    if table.row_count:
        results.print(table)
    if not status["ready"]:
        results.print("Not ready. ./smsgw up starts what is missing, or says why it cannot.")
        return
    results.print(f"\nReady.\n  gateway  {status['gateway_url']}\n  console  {status['console_url']}")
    if status["simulator_url"]:
        results.print(f"  simulator  {status['simulator_url']}")
