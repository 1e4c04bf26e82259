"""
`./smsgw bench accept`: how many messages a second the gateway accepts, against a bare echo of the same body.

Both run by turns in one run, on the same Uvicorn settings, with the same number of workers (one unless told otherwise), under the same
load of the same requests; so whatever else the machine does falls on both, and the ratio counts more than the rates. Everything is on:
authentication, rate, quota, an idempotency key of its own for each request, a confirm by a quorum queue, metrics, logs to a file. What was
accepted is counted again in the queue at the end.
"""

import argparse
import json
import os
import secrets
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

from bench import ground, machine, stage, worker, wrk
from bench.errors import Unprepared
from bench.figures import Account, bar, figures, ratio
from bench.processes import cpu_seconds, running
from bench.wrk import Load, Measurement
from sms_stack.calls import call
from sms_stack.progress import step

BODY = {"to": "+447911123456", "text": "Your code is 493817. It is valid for ten minutes.", "from": "ACME", "reference": "order-17"}
TARGETS = {
    "baseline": "bare FastAPI + pydantic echo",
    "gateway": "POST /v1/messages, all on",
    "bare_asgi": "bare ASGI + msgspec echo",
}
_WARM_UP_SECONDS = 2


@dataclass
class Runs:
    """What has been measured so far."""

    key: str
    connections: int
    ports: Mapping[str, int]
    pids: Mapping[str, int]  #: of the targets and of the services behind the gateway
    measured: dict[str, list[Measurement]] = field(default_factory=lambda: {name: [] for name in TARGETS})
    cpu: dict[str, dict[str, float]] = field(default_factory=lambda: {name: {} for name in TARGETS})
    answered: int = 0  #: by the gateway

    def try_out(self, target: str) -> None:
        """One request, so that a refusal can say why. Raises `Unprepared`."""
        headers = {"API-Key": self.key, "Idempotency-Key": secrets.token_hex(8)}
        answer = call(self.url(target), method="POST", body=BODY, headers=headers)
        if answer.status != 202:
            raise Unprepared(f"{TARGETS[target]} answers {answer.status}: {answer.text[:500]}")
        self.answered += target == "gateway"

    def url(self, target: str) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.ports[target]}/v1/messages"

    def measure(self, target: str, seconds: int, *, warm_up: bool = False) -> None:
        """Load one target."""
        before = {name: cpu_seconds(pid) for name, pid in self.pids.items()}
        load = Load(
            url=self.url(target),
            key=self.key,
            prefix=secrets.token_hex(8),
            body=json.dumps(BODY).encode(),
            connections=self.connections,
            seconds=seconds,
        )
        found = wrk.measure(load)
        if target == "gateway":
            self.answered += found.requests
        if warm_up:
            return
        self.measured[target].append(found)
        used = self.cpu[target]
        for name, pid in self.pids.items():
            used[name] = used.get(name, 0.0) + cpu_seconds(pid) - before[name]

    def microseconds(self, target: str) -> dict[str, float]:
        """Processor time a request, by process: it says more than a rate where a machine is shared."""
        requests = sum(one.requests for one in self.measured[target])
        names = (target,) if target != "gateway" else (target, *(name for name in self.pids if name not in TARGETS))
        return {name: round(self.cpu[target][name] / requests * 1e6, 1) for name in names}


def main() -> int:
    """Measure, report, and fail where something was lost."""
    arguments = _arguments()
    return stage.perform(
        lambda: run(seconds=arguments.seconds, rounds=arguments.rounds, connections=arguments.connections, workers=arguments.workers),
        show,
        as_json=arguments.json,
    )


def run(*, seconds: int, rounds: int, connections: int, workers: int) -> dict[str, Any]:
    """The whole benchmark, as a document."""
    with stage.prepared() as on, ExitStack() as stack:
        ports = dict(zip(TARGETS, stage.free_ports(len(TARGETS)), strict=True))
        with step("Starting the gateway and the baselines"):
            pids = {name: stack.enter_context(_target(name, on, port=port, workers=workers)) for name, port in ports.items()}
        runs = Runs(key=on.own.key, connections=connections, ports=ports, pids={**pids, **stage.services()})
        for target, text in TARGETS.items():
            runs.try_out(target)
            with step(f"Warming up: {text}"):
                runs.measure(target, _WARM_UP_SECONDS, warm_up=True)
        for number in range(rounds):
            with step(f"Round {number + 1} of {rounds}"):
                # Forth and back, so that what grows or cools down in a round falls on both alike.
                for target in list(TARGETS)[:: 1 if number % 2 == 0 else -1]:
                    runs.measure(target, seconds)
        with step("Counting what is in the queue"):
            account = _account(runs, on.own, connections)
            flushes = _flushes(runs.ports["gateway"])
    return {
        **_document(runs, account),
        "workers": workers,
        "machine": on.place,
        "flushes": flushes,
        "seconds_per_round": seconds,
        "conditions": on.conditions,
    }


def _target(name: str, on: stage.Stage, *, port: int, workers: int) -> AbstractContextManager[int]:
    if name == "gateway":
        return worker.started(on, port=port, workers=workers)
    kind = {"baseline": "fastapi", "bare_asgi": "asgi"}[name]
    command = [sys.executable, "-m", "bench.echo", kind, str(port), str(workers)]
    return running(command, environment=os.environ, log=on.folder / f"{name}.log", ready=f"http://127.0.0.1:{port}/healthz")


def _account(runs: Runs, own: ground.Ground, connections: int) -> Account:
    accepted = worker.accepted_in_the_end(runs.ports["gateway"])
    queued, distinct = own.queued()
    gateway_runs = len(runs.measured["gateway"]) + 1
    return Account(answered=runs.answered, accepted=accepted, queued=queued, distinct=distinct, cut_off=connections * gateway_runs)


def _flushes(port: int) -> dict[str, dict[str, float]]:
    """How many requests shared a flush, and how long it took, by stage: what group commit is worth here, and what it waits for."""
    counts = worker.samples(port, "smsgw_flush_items_count")
    items, seconds = worker.samples(port, "smsgw_flush_items_sum"), worker.samples(port, "smsgw_flush_seconds_sum")
    return {
        labels.split('"')[1]: {"items": round(items[labels] / count, 1), "ms": round(seconds[labels] / count * 1000, 2)}
        for labels, count in counts.items()
        if count
    }


def _document(runs: Runs, account: Account) -> dict[str, Any]:
    found = {target: figures(runs.measured[target]) for target in TARGETS}
    rounds = [
        {target: asdict(runs.measured[target][number]) | {"requests_per_second": _rate(runs, target, number)} for target in TARGETS}
        for number in range(len(runs.measured["gateway"]))
    ]
    return {
        "ratio": ratio(found["gateway"], found["baseline"]),
        "baseline": asdict(found["baseline"]),
        "gateway": asdict(found["gateway"]),
        "bare_asgi": asdict(found["bare_asgi"]),
        "rounds": [{**one, "ratio": round(_rate(runs, "gateway", n) / _rate(runs, "baseline", n), 3)} for n, one in enumerate(rounds)],
        "cpu_microseconds_per_request": {target: runs.microseconds(target) for target in TARGETS},
        "accepted": account.accepted,
        "queued": account.queued,
        "lost": account.lost,
        "connections": runs.connections,
        "problems": account.problems(),
    }


def _rate(runs: Runs, target: str, number: int) -> float:
    return round(runs.measured[target][number].requests_per_second, 1)


def show(told: dict[str, Any]) -> None:
    """For people."""
    most = max(told[target]["requests_per_second"] for target in TARGETS)
    print(f"\n{'':<30}{'requests/s':>11}{'p50 ms':>9}{'p99 ms':>9}{'CPU µs':>9}")
    for target, text in TARGETS.items():
        one = told[target]
        cpu = told["cpu_microseconds_per_request"][target][target]
        rate = one["requests_per_second"]
        print(f"{text:<30}{rate:>11,.0f}{one['p50_ms']:>9.1f}{one['p99_ms']:>9.1f}{cpu:>9.0f}  {bar(rate, most)}")
    print(f"\nratio    {told['ratio']:.2f} of the FastAPI echo (by round: {', '.join(f'{one["ratio"]:.2f}' for one in told['rounds'])})")
    print(f"account  {told['accepted']:,} accepted, {told['queued']:,} in the queue, {told['lost']} lost")
    print(f"machine  {machine.sentence(told['machine'])}")
    how = f"{told['connections']} connections, workers of each: {told['workers']}, {told['seconds_per_round']} s a turn"
    print(f"how      {how}; {told['conditions']}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./smsgw bench accept", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--seconds", type=int, default=3, metavar="N", help="of each turn; default: 3")
    parser.add_argument("--rounds", type=int, default=8, metavar="N", help="default: 8")
    parser.add_argument("--connections", type=int, default=64, metavar="N", help="default: 64")
    parser.add_argument("--workers", type=int, default=1, choices=(1, 2), help="of the gateway and of each echo; default: 1")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
