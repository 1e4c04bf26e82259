"""
`./smsgw bench batch`: how many recipients a second the gateway accepts in batches, beside the single-message path.

Both by turns in one run, on the same gateway: batches of a thousand, each message with a recipient, a text and a reference of its own, each
batch with an idempotency key of its own. Everything is on, as in `bench accept`. What was accepted is counted again in the queue.
"""

import argparse
import json
import secrets
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from bench import ground, machine, stage, worker, wrk
from bench.accept import BODY
from bench.errors import Unprepared
from bench.figures import Account, Figures, bar, figures
from bench.processes import cpu_seconds
from bench.wrk import Load, Measurement
from sms_stack.calls import call
from sms_stack.progress import step

SIZE: Final = 1_000
TARGET: Final = 20_000
BATCH: Final[dict[str, Any]] = {
    "defaults": {"from": "ACME"},
    "messages": [
        {"to": f"+4479111{i:05d}", "text": f"Your code is {i:06d}. It is valid for ten minutes.", "reference": f"order-{i}"}
        for i in range(SIZE)
    ],
}
_WARM_UP_SECONDS = 1


@dataclass(frozen=True, kw_only=True)
class Path:
    """One of the two ways."""

    url: str
    body: Any
    connections: int
    recipients: int  #: of each request


@dataclass
class Runs:
    """What has been measured so far."""

    key: str
    paths: dict[str, Path]
    pid: int  #: of the gateway
    measured: dict[str, list[Measurement]] = field(default_factory=lambda: {"batch": [], "single": []})
    cpu: dict[str, float] = field(default_factory=lambda: {"batch": 0.0, "single": 0.0})
    answered: int = 0  #: messages in requests that were answered 202

    def try_out(self, name: str) -> None:
        """One request, so that a refusal can say why. Raises `Unprepared`."""
        path = self.paths[name]
        headers = {"API-Key": self.key, "Idempotency-Key": secrets.token_hex(8)}
        answer = call(path.url, method="POST", body=path.body, headers=headers)
        if answer.status != 202:
            raise Unprepared(f"{path.url} answers {answer.status}: {answer.text[:500]}")
        self.answered += path.recipients

    def measure(self, name: str, seconds: int, *, warm_up: bool = False) -> None:
        """Load one of them."""
        path = self.paths[name]
        before = cpu_seconds(self.pid)
        load = Load(
            url=path.url,
            key=self.key,
            prefix=secrets.token_hex(8),
            body=json.dumps(path.body).encode(),
            connections=path.connections,
            seconds=seconds,
        )
        found = wrk.measure(load)
        self.answered += found.requests * path.recipients
        if not warm_up:
            self.measured[name].append(found)
            self.cpu[name] += cpu_seconds(self.pid) - before

    def microseconds(self, name: str) -> float:
        """The gateway's processor time a recipient."""
        recipients = sum(one.requests for one in self.measured[name]) * self.paths[name].recipients
        return round(self.cpu[name] / recipients * 1e6, 1)


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
        (port,) = stage.free_ports(1)
        base = f"http://127.0.0.1:{port}"
        with step("Starting the gateway"):
            pid = stack.enter_context(worker.started(on, port=port, workers=workers))
        paths = {
            "batch": Path(url=f"{base}/v1/batches", body=BATCH, connections=connections, recipients=SIZE),
            "single": Path(url=f"{base}/v1/messages", body=BODY, connections=64, recipients=1),
        }
        runs = Runs(key=on.own.key, paths=paths, pid=pid)
        for name in paths:
            runs.try_out(name)
            with step(f"Warming up: {name}"):
                runs.measure(name, _WARM_UP_SECONDS, warm_up=True)
        for number in range(rounds):
            with step(f"Round {number + 1} of {rounds}"):
                for name in list(paths)[:: 1 if number % 2 == 0 else -1]:
                    runs.measure(name, seconds)
        with step("Counting what is in the queue"):
            account = _account(runs, on.own, port)
    return {
        **_document(runs, account),
        "workers": workers,
        "machine": on.place,
        "seconds_per_round": seconds,
        "conditions": on.conditions,
    }


def _account(runs: Runs, own: ground.Ground, port: int) -> Account:
    accepted = worker.accepted_in_the_end(port)
    queued, distinct = own.queued()
    cut_off = sum(path.connections * path.recipients * (len(runs.measured[name]) + 1) for name, path in runs.paths.items())
    return Account(answered=runs.answered, accepted=accepted, queued=queued, distinct=distinct, cut_off=cut_off)


def _document(runs: Runs, account: Account) -> dict[str, Any]:
    found: dict[str, Figures] = {name: figures(measured) for name, measured in runs.measured.items()}
    rates = {name: round(found[name].requests_per_second * path.recipients, 1) for name, path in runs.paths.items()}
    return {
        "recipients_per_second": rates["batch"],
        "single_recipients_per_second": rates["single"],
        "ratio": round(rates["batch"] / rates["single"], 2),
        "target": TARGET,
        "batch": asdict(found["batch"]),
        "single": asdict(found["single"]),
        "rounds": [
            {name: round(measured[number].requests_per_second * runs.paths[name].recipients, 1) for name, measured in runs.measured.items()}
            for number in range(len(runs.measured["batch"]))
        ],
        "cpu_microseconds_per_recipient": {name: runs.microseconds(name) for name in runs.paths},
        "batch_size": SIZE,
        "connections": {name: path.connections for name, path in runs.paths.items()},
        "accepted": account.accepted,
        "queued": account.queued,
        "lost": account.lost,
        "problems": account.problems(),
    }


def show(told: dict[str, Any]) -> None:
    """For people."""
    rates = {"batch": told["recipients_per_second"], "single": told["single_recipients_per_second"]}
    print(f"\n{'':<30}{'recipients/s':>13}{'p50 ms':>9}{'p99 ms':>9}{'CPU µs':>9}")
    for name, text in (("batch", f"POST /v1/batches, {SIZE:,} each"), ("single", "POST /v1/messages")):
        one, cpu = told[name], told["cpu_microseconds_per_recipient"][name]
        line = f"{text:<30}{rates[name]:>13,.0f}{one['p50_ms']:>9.1f}{one['p99_ms']:>9.1f}{cpu:>9.0f}"
        print(f"{line}  {bar(rates[name], max(rates.values()))}")
    print(f"\nratio    {told['ratio']:.1f} of the single path; target: {TARGET:,} a second")
    print(f"account  {told['accepted']:,} accepted, {told['queued']:,} in the queue, {told['lost']} lost")
    print(f"machine  {machine.sentence(told['machine'])}")
    print(f"how      gateway workers: {told['workers']}, {told['seconds_per_round']} s a turn; {told['conditions']}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./smsgw bench batch", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--seconds", type=int, default=3, metavar="N", help="of each turn; default: 3")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default: 5")
    parser.add_argument("--connections", type=int, default=4, metavar="N", help="for batches; default: 4")
    parser.add_argument("--workers", type=int, default=1, choices=(1, 2), help="of the gateway; default: 1")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
