"""`./smsgw chaos [scenario…]`: faults under load, and the account afterwards, in an instance of its own under var/chaos."""

import argparse
import json
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from chaos import report
from chaos.background import background
from chaos.mutations import BY_NAME, MUTATIONS
from chaos.patches import variations
from chaos.people import People, gather
from chaos.scenario import Scenario
from chaos.scenarios import SCENARIOS
from chaos.system import own
from chaos.trial import Trial, run
from chaos.waiting import NotSoError
from sms_stack.errors import StackError
from sms_stack.home import ROOT, Home
from sms_stack.packages import PackagesMissing, install
from sms_stack.progress import say


def main() -> int:
    """0: everything held, or every mutation was found."""
    arguments = _arguments()
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, _leave)
    named = [SCENARIOS[name] for name in arguments.scenarios] or list(SCENARIOS.values())
    if arguments.fast:
        named = [scenario for scenario in named if scenario.fast]
    if arguments.list:
        _write(report.listed(named)) if arguments.json else report.show_list(named)
        return 0
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(10**6)
    say(f"seed {seed}")
    return _mutate(named, seed, arguments) if arguments.mutations else _prove(named, seed, arguments)


def _prove(named: list[Scenario], seed: int, arguments: argparse.Namespace) -> int:
    skipped = _impossible(named)
    wanted = [scenario for scenario in named if scenario.name not in skipped]
    trials: list[Trial] = []
    progress = report.Progress()
    for part in _parts(wanted, key=lambda scenario: scenario.clustered):
        with _ended_early() as stopped, background() as loop, own(_home(), loop, clustered=part[0].clustered) as system:
            people = gather(system)
            for scenario in part:
                progress.begins(scenario, f"{len(trials) + 1}/{len(wanted)}")
                trial = run(scenario, system=system, people=people, background=loop, seed=seed, say=progress.event)
                progress.ends(trial)
                trials.append(trial)
        if stopped.is_set():
            break
    if arguments.json:
        _write(
            report.document(
                trials, skipped, seed=seed, not_run=[one.name for one in wanted if one not in [trial.scenario for trial in trials]]
            )
        )
    else:
        report.show(trials, skipped)
    return 0 if len(trials) == len(wanted) and all(trial.ok for trial in trials) else 1


def _mutate(named: list[Scenario], seed: int, arguments: argparse.Namespace) -> int:
    """Each scenario under each mutation that it must find; one that it survives is no proof."""
    names = {scenario.name for scenario in named}
    asked_for = [
        (mutation, SCENARIOS[name])
        for mutation in MUTATIONS
        for name in mutation.scenarios
        if name in names and mutation.name in (arguments.only or BY_NAME)
    ]
    skipped = _impossible([scenario for _, scenario in asked_for])
    pairs = [(mutation, scenario) for mutation, scenario in asked_for if scenario.name not in skipped]
    told: list[dict[str, Any]] = []
    progress = report.Progress()
    for part in _parts(pairs, key=lambda pair: pair[1].clustered):
        with _ended_early() as stopped, background() as loop, own(_home(), loop, clustered=part[0][1].clustered) as system:
            people: People | None = None
            for mutation, scenario in part:
                say(f"\n══ {mutation.name}: {mutation.wrong}")
                progress.begins(scenario, f"{len(told) + 1}/{len(pairs)}")
                mutant = variations(mutation.patch, system)
                system.begin_anew(mutant)
                # Clients of its own each time: what a mutant has spoilt is not charged to the next.
                people = gather(system, like=people)
                trial = run(scenario, system=system, people=people, background=loop, seed=seed, say=progress.event, mutant=mutant)
                progress.ends(trial)
                say(f"   {'found' if trial.has_found else 'SURVIVED: the scenario has not noticed'}")
                seconds = round(trial.seconds, 1)
                told.append(
                    {
                        "mutation": mutation.name,
                        "scenario": scenario.name,
                        "found": trial.has_found,
                        "by": trial.problems,
                        "seconds": seconds,
                    }
                )
        if stopped.is_set():
            break
    whole = len(told) == len(pairs)
    survived = [f"{each['mutation']} under {each['scenario']}" for each in told if not each["found"]]
    if arguments.json:
        _write({"ok": whole and not survived, "seed": seed, "mutations": told, "skipped": skipped})
    else:
        for each in told:
            said = each["by"][0][:110] if each["by"] else ""
            sys.stdout.write(f"{'found   ' if each['found'] else 'SURVIVED'}  {each['mutation']:<34}{each['scenario']:<40}{said}\n")
        for name, why in skipped.items():
            sys.stdout.write(f"skipped   {name}: {why}\n")
    return 0 if whole and not survived else 1


def _impossible(wanted: list[Scenario]) -> dict[str, str]:
    """Why which cannot be run here, when what Debian has for them has been installed or could not be."""
    lacking = {scenario.package for scenario in wanted if scenario.package is not None and scenario.needs() is not None}
    if lacking:
        try:
            install(sorted(lacking), reason=f"Some scenarios need {', '.join(sorted(lacking))}")
        except PackagesMissing as problem:
            say(f"chaos: {problem}")
    return {scenario.name: why for scenario in wanted if (why := scenario.needs()) is not None}


def _home() -> Home:
    return Home(path=ROOT / "var" / "chaos")


@contextmanager
def _ended_early() -> Iterator[threading.Event]:
    """What was done by then is told all the same; the event is set where somebody wants no more."""
    stopped = threading.Event()
    try:
        yield stopped
    except KeyboardInterrupt:
        say("chaos: stopped.")
        stopped.set()
    except (StackError, NotSoError) as error:
        say(f"chaos: {error}")


def _parts[T](everything: list[T], *, key: Callable[[T], bool]) -> list[list[T]]:
    """Those for one broker, and those for three; without what is empty."""
    return [part for clustered in (False, True) if (part := [one for one in everything if key(one) is clustered])]


def _leave(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _write(document: Any) -> None:
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./smsgw chaos", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="scenario", help="by name; default: all of them")
    parser.add_argument("--list", action="store_true", help="what there is, and what each proves")
    parser.add_argument("--fast", action="store_true", help="those that every ./smsgw test runs")
    parser.add_argument("--mutations", action="store_true", help="show that each can fail: run them against copies that are wrong")
    parser.add_argument(
        "--only", metavar="mutation", action="append", choices=sorted(BY_NAME), help="of the mutations only this; may be repeated"
    )
    parser.add_argument("--seed", type=int, help="repeat a run's moments and choices")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.scenarios if name not in SCENARIOS]
    if unknown:
        parser.error(f"there is no scenario {', '.join(unknown)}; see ./smsgw chaos --list")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
