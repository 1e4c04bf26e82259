"""`./smsgw soak [--minutes 60] [--calm]`: load without end and a fault every minute; the account of each, and what must not grow."""

import argparse
import json
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from chaos import endurance, weeks
from chaos.background import background
from chaos.drawing import line
from chaos.endurance import Reading
from chaos.people import gather
from chaos.report import Progress
from chaos.scenario import Act, Scenario
from chaos.scenarios import SCENARIOS
from chaos.stage import Stage
from chaos.system import System, own
from chaos.trial import Trial, run
from chaos.workload import Style
from sms_stack.home import ROOT, Home
from sms_stack.progress import say

#: What may happen every minute; none restarts a process on purpose, so that memory can be followed.
FAULTS = (
    "intake-killed",
    "worker-killed",
    "gateway-killed",
    "background-killed",
    "connections-closed",
    "broker-frozen",
    "postgresql-connections-ended",
    "table-locked",
    "redis-flushed",
    "redis-paused",
    "redis-connections-killed",
    "hints-purged",
    "poison-among-good-ones",
    "clients-hang-up",
    "provider-gone",
)
#: No fault: a process that is killed every few minutes never shows what its memory comes to.
CALM = Scenario(name="calm", number="-", proves="Nothing happens.", act=lambda _: None)
_MINUTE = 50.0  #: seconds of load for each fault; the rest of its minute is the account's


def main() -> int:
    """0: every account was clean, and nothing has grown."""
    arguments = _arguments()

    def leave(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, leave)
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(10**6)
    say(f"seed {seed}, {arguments.minutes} minutes, {arguments.rate:.0f} messages a second")
    faults = [CALM] if arguments.calm else [SCENARIOS[name] for name in FAULTS]
    try:
        told = soak(minutes=arguments.minutes, rate=arguments.rate, seed=seed, faults=faults)
    except KeyboardInterrupt:
        say("soak: stopped.")
        return 130
    if arguments.json:
        sys.stdout.write(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    else:
        show(told)
    return 0 if told["held"] else 1


def soak(*, minutes: float, rate: float, seed: int, faults: Sequence[Scenario]) -> dict[str, Any]:
    """The whole, as a document."""
    rng = random.Random(seed)
    progress = Progress()
    trials: list[Trial] = []
    readings: list[Reading] = []
    with background() as loop, own(Home(path=ROOT / "var" / "chaos"), loop, wired=("worker", "worker-upkeep")) as system:
        people = gather(system)
        began = time.monotonic()
        passing = weeks.roll(system)
        readings.append(_reading(system, 0.0))
        while (passed := time.monotonic() - began) < minutes * 60:
            scenario = _lasting(rng.choice(faults), rate)
            progress.begins(scenario, f"minute {passed / 60:.0f}")
            trial = run(scenario, system=system, people=people, background=loop, seed=seed + len(trials), say=progress.event)
            progress.ends(trial)
            trials.append(trial)
            readings.append(_reading(system, time.monotonic() - began))
        not_rolled = weeks.complaints(system, passing, seconds=time.monotonic() - began)
    problems = [f"{trial.scenario.name}: {problem}" for trial in trials for problem in trial.problems]
    complaints = endurance.complaints(readings) + not_rolled
    totals = {
        name: sum(trial.document().get(name, 0) for trial in trials)
        for name in ("attempted", "acknowledged", "ok", "recovered", "unknown", "twice", "lost", "duplicated", "unexpected", "stuck")
    }
    return {
        "held": not problems and not complaints,
        "seed": seed,
        "minutes": round((time.monotonic() - began) / 60, 1),
        "rate": rate,
        "faults": len(trials),
        **totals,
        "problems": problems,
        "complaints": complaints,
        **endurance.summary(readings),
        "trials": [trial.document() for trial in trials],
    }


def _reading(system: System, at: float) -> Reading:
    system.wait_ready()
    return endurance.read(system, at)


def _lasting(scenario: Scenario, rate: float) -> Scenario:
    return replace(scenario, style=Style(clients=48, rate=rate), act=_for_a_minute(scenario.act), only_accepted=False)


def _for_a_minute(act: Act) -> Callable[[Stage], None]:
    def lasting(stage: Stage) -> None:
        until = time.monotonic() + _MINUTE
        try:
            act(stage)
        finally:
            time.sleep(max(0.0, until - time.monotonic()))

    return lasting


def show(told: dict[str, Any]) -> None:
    """For people."""
    write = sys.stdout.write
    write(f"\n{told['faults']} faults in {told['minutes']} minutes at {told['rate']:.0f} messages a second\n")
    write(f"{told['attempted']:,} attempted, {told['acknowledged']:,} acknowledged, {told['ok']:,} ok, {told['recovered']} recovered, ")
    write(f"{told['unknown']} unknown, {told['twice']} twice; {told['lost']} lost, {told['duplicated']} duplicated, ")
    write(f"{told['unexpected']} unexpected, {told['stuck']} stuck\n")
    for name, memory in told["memory_mb"].items():
        grown = "" if memory["an_hour"] is None else f"  {memory['an_hour']:+.1f} an hour"
        write(f"  {name:<16}{memory['last']:>8.1f} MB  {line(memory['series'])}{grown}\n")
    for service, counts in told["connections"].items():
        write(f"  {service:<16}{counts['last']:>8} connections  {line(counts['series'])}\n")
    write(f"  dead rows: {told['dead_rows']}; {told['partitions']} weekly partitions\n")
    for problem in [*told["problems"], *told["complaints"]]:
        write(f"✗ {problem}\n")
    write("held\n" if told["held"] else "FAILED\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./smsgw soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="default: 60")
    parser.add_argument("--rate", type=float, default=100, help="messages a second; default: 100")
    parser.add_argument("--calm", action="store_true", help="no faults: what memory comes to where nobody is killed")
    parser.add_argument("--seed", type=int, help="repeat a run's faults")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
