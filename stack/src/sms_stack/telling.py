"""What the demo shows to people: each story with its timeline, then where to go from here."""

from typing import Any

from sms_stack.progress import results

#: Shown in front, or more than a first look needs; `manage message show` has everything.
UNTOLD = {"at", "event", "client", "mode", "version", "occurred_at", "provider_message_id"}


def show(told: dict[str, Any]) -> None:
    for story in told["stories"]:
        mark = "[green]✓[/green]" if story["ok"] else "[red]✗[/red]"
        results.print(f"\n{mark} [bold]{story['name']}[/bold]  {story['tracking_id']}")
        results.print(f"  {story['told']}", markup=False)
        for line in timeline(story["timeline"]):
            results.print(f"    {line}", markup=False)
    demo = told["demo"] or {}
    lines = [
        "",
        f"gateway    {told['gateway_url']}   (documentation: {told['gateway_url']}/docs)",
        f"console    {told['console_url']}/console/   user {demo.get('console_user')}, password {demo.get('console_password')}",
        f"simulator  {told['simulator_url']}/control/ledger",
        f"live key   {demo.get('live_key')}",
        f"test key   {demo.get('test_key')}",
        "",
        "Send one yourself:",
        "",
        told["curl"],
        "",
        "It goes on running. ./smsgw status shows it, ./smsgw down stops it.",
    ]
    results.print("\n".join(lines), markup=False)
    if not told["ok"]:
        results.print("\n[red]Not every message arrived as it should.[/red] ./smsgw logs shows what the processes said.")


def timeline(document: Any) -> list[str]:
    """One line an event, whatever its kind: the time, the event, and what is known about it."""
    events = document.get("timeline", []) if isinstance(document, dict) else []
    lines = []
    for event in events:
        rest = [f"{name}={value}" for name, value in event.items() if name not in UNTOLD and value not in (None, "", [], {})]
        lines.append(f"{str(event.get('at'))[11:23]}  {event.get('event', '')!s:<12} {' '.join(rest)}".rstrip())
    return lines
