"""What is said about a run: progress while it goes on, a table at its end, one document."""

import sys
import time
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from chaos.mutations import MUTATIONS
from chaos.scenario import Scenario
from chaos.trial import Trial
from sms_stack.progress import results, say

_FIGURES = ("attempted", "acknowledged", "ok", "recovered", "unknown", "twice", "lost", "duplicated", "unexpected", "stuck")
_HEADS = ("tried", "acked", "ok", "recov", "unkn", "twice", "lost", "dupl", "unexp", "stuck")


class Progress:
    """A line for each event, and the beginning and end of each scenario."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def begins(self, scenario: Scenario, position: str) -> None:
        say(f"\n── {position} {scenario.name} ({scenario.number}) ──\n   {scenario.proves}")
        self._began = time.monotonic()

    def event(self, text: str) -> None:
        say(f"   {time.monotonic() - self._began:5.1f} s  {text}")

    def ends(self, trial: Trial) -> None:
        said = trial.document()
        figures = ", ".join(f"{said[name]} {name}" for name in _FIGURES if name in said)
        say(f"   {figures}; accepting after {said['accepting_after']} s, settled after {said['settled_after']} s")
        for each in said.get("listed", {}).get("twice", []):
            say(f"   twice: {each}")
        for problem in trial.problems:
            say(f"   ✗ {problem}")
        say(f"   {'✓ held' if trial.ok else '✗ FAILED'} ({trial.seconds:.0f} s)")


def show(trials: Sequence[Trial], skipped: dict[str, str]) -> None:
    """The table."""
    table = Table(box=None, pad_edge=False)
    table.add_column("scenario")
    table.add_column("")
    for head in (*_HEADS, "heals", "settles"):
        table.add_column(head, justify="right")
    for trial in trials:
        said = trial.document()
        figures = [str(said.get(name, "")) for name in _FIGURES]
        heals, settles = (("" if said[name] is None else f"{said[name]:.1f} s") for name in ("accepting_after", "settled_after"))
        table.add_row(trial.scenario.name, "✓" if trial.ok else "✗", *figures, heals, settles)
    for name, why in skipped.items():
        table.add_row(name, "–", why)
    results.print(table)
    failed = [trial for trial in trials if not trial.ok]
    results.print(f"\n{len(trials) - len(failed)} held, {len(failed)} failed, {len(skipped)} skipped")
    for trial in failed:
        results.print(f"✗ {trial.scenario.name}: {' | '.join(trial.problems)}", markup=False)


def document(trials: Sequence[Trial], skipped: dict[str, str], **more: Any) -> dict[str, Any]:
    """For `--json`."""
    return {"ok": all(trial.ok for trial in trials), "scenarios": [trial.document() for trial in trials], "skipped": skipped, **more}


def listed(scenarios: Sequence[Scenario]) -> list[dict[str, Any]]:
    """What there is: for `--list`."""
    return [
        {
            "name": scenario.name,
            "number": scenario.number,
            "proves": scenario.proves,
            "fast": scenario.fast,
            "mutations": [mutation.name for mutation in MUTATIONS if scenario.name in mutation.scenarios],
        }
        for scenario in scenarios
    ]


def show_list(scenarios: Sequence[Scenario]) -> None:
    for each in listed(scenarios):
        sys.stdout.write(f"{each['name']}  ({each['number']}{', fast' if each['fast'] else ''})\n    {each['proves']}\n")
        if each["mutations"]:
            sys.stdout.write(f"    fails under: {', '.join(each['mutations'])}\n")
