"""
`./smsgw bench pipeline`: how many messages a second go the whole way on this machine, and where the time goes.

Messages are accepted one by one over HTTP, and followed until a provider has taken each of them: an instant one, the simulator, which
reports nothing. With `--reports` it reports on each message twice, and they are followed until they are delivered; with `--webhooks` the
client is told of that, and the clock runs until it has been. Everything shares this machine: PostgreSQL, RabbitMQ, Redis, both servers, the
simulator, the client's receiver and the load generator. The account at the end is the simulator's ledger, in which each message was
accepted once, and what the receiver heard.

With more than one of a consumer: `SMSGW_INTAKES=2 SMSGW_WORKERS=2 ./smsgw bench pipeline`.
"""

import argparse
import json
import os
import re
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis

from bench import machine, operator, stage, wrk
from bench.errors import BenchError, Unprepared
from bench.figures import bar
from bench.following import Following
from bench.hearing import Receiver
from bench.processes import cpu_seconds, running
from bench.wrk import Load, Measurement
from sms_contract.status import Status
from sms_stack.calls import call
from sms_stack.home import Home
from sms_stack.instance import SIMULATOR, Instance
from sms_stack.progress import step
from sms_stack.supervision import wait_until

BODY = {
    "to": "+447911123456",
    "text": "Your code is 493817. It is valid for ten minutes.",
    "from": "ACME",
    "providers": [operator.PROVIDER],
}
LOAD_GENERATOR = "load generator"
RECEIVER = "receiver"
#: Without a message settled for so long, the rest is called lost.
_PATIENCE = 30.0
_LOOK = 0.1
_MOST_SECONDS = 1800


@dataclass(frozen=True, kw_only=True)
class Course:
    """What happened."""

    following: Following
    load: Measurement
    accept_seconds: float
    seconds: float
    cpu: Mapping[str, float]
    heard: Counter[str] | None = None  #: how often the receiver was told of each message


def main() -> int:
    """Measure, report, and fail where something was lost or doubled."""
    arguments = _arguments()

    def measured() -> dict[str, Any]:
        reports = arguments.reports or arguments.webhooks
        return run(messages=arguments.messages, connections=arguments.connections, reports=reports, webhooks=arguments.webhooks)

    return stage.perform(measured, show, as_json=arguments.json)


def run(*, messages: int, connections: int, reports: bool = False, webhooks: bool = False) -> dict[str, Any]:
    """The whole benchmark, as a document."""
    wrk.prepare()
    place = machine.describe()
    given = stage.given()
    instance = Instance.load(Home.from_environment())
    with ExitStack() as stack:
        folder = stack.enter_context(stage.alone())
        redis = stack.enter_context(Redis.from_url(given["REDIS_URL"]))
        receiver = stack.enter_context(_receiver(folder, given)) if webhooks else None
        receiver_url = None if receiver is None else receiver.url
        with step("Setting up a client, its key and an instant provider"):
            key = stack.enter_context(operator.customer(given, instance.simulator_url, reports=reports, receiver_url=receiver_url))
            client_id = operator.manage("client", "show", operator.CLIENT)["id"]
        goal = Status.DELIVERED if reports else Status.SENT
        following = Following(redis=redis, client_id=client_id, ids_file=folder / "ids", goal=goal)
        with step("Sending one message, so that everything is connected"):
            _warm_up(instance.gateway_url, key, goal, receiver)
        load = Load(
            url=f"{instance.gateway_url}/v1/messages",
            key=key,
            prefix=secrets.token_hex(6),
            body=json.dumps(BODY).encode(),
            connections=connections,
            seconds=_MOST_SECONDS,
            limit=messages,
            ids=following.ids_file,
        )
        with step(f"Accepting {messages:,} messages, and waiting until all are {goal}"):
            course = _send(load, following, receiver)
        ledger = call(f"{instance.simulator_url}/control/ledger?account={operator.ACCOUNT}", timeout=60).document()["entries"]
    return _document(course, taken(following.ids, ledger), place=place) | {"consumers": consumers(stage.processes())}


@contextmanager
def _receiver(folder: Path, given: Mapping[str, str]) -> Iterator[Receiver]:
    (port,) = stage.free_ports(1)
    file, url = folder / "heard", f"http://127.0.0.1:{port}/"
    command = [sys.executable, "-m", "bench.receiver", f"--port={port}", f"--file={file}"]
    with running(command, environment=given, log=folder / "receiver.log", ready=url) as pid:
        yield Receiver(pid=pid, url=url, file=file)


def consumers(names: Iterable[str]) -> dict[str, int]:
    """How many there were of each that may be several: `worker`, `worker-2` and so on."""
    names = list(names)
    return {kind: sum(re.fullmatch(rf"{kind}(-[0-9]+)?", name) is not None for name in names) for kind in ("intake", "worker")}


def _warm_up(gateway_url: str, key: str, goal: Status, receiver: Receiver | None) -> None:
    sent: dict[str, Any] = {}

    def accepted() -> bool:
        answer = call(f"{gateway_url}/v1/messages", method="POST", body=BODY, headers={"API-Key": key})
        sent.update(answer.document())
        return answer.status == 202

    def settled() -> bool:
        sent.update(call(f"{gateway_url}/v1/messages/{sent['tracking_id']}", headers={"API-Key": key}).document())
        return bool(sent["status"] == goal) and (receiver is None or receiver.count() > 0)

    # The gateway may know for two seconds more that the provider was off.
    if not wait_until(accepted, seconds=10):
        raise Unprepared(f"The gateway does not accept: {sent}")
    if not wait_until(settled, seconds=30):
        raise Unprepared(f"A single message is not {goal}, and told of, within 30 s; it is {sent['status']}. See: ./smsgw logs worker")


def _send(load: Load, following: Following, receiver: Receiver | None) -> Course:
    pids = stage.processes() | ({} if receiver is None else {RECEIVER: receiver.pid})
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    own = _own_cpu_seconds()
    began = time.monotonic()
    accept_seconds = 0.0
    told_before = 0 if receiver is None else receiver.count()
    told, progress, progressed_at = 0, (0, 0, 0), began
    with wrk.started(load) as program:
        while min(following.settled, told) < load.limit and time.monotonic() - progressed_at < _PATIENCE:
            time.sleep(_LOOK)
            following.look()
            told = load.limit if receiver is None else receiver.count() - told_before
            if program.poll() is not None:
                raise BenchError("The load generator ended before its time.")
            if not accept_seconds and len(following.ids) == load.limit:
                accept_seconds = time.monotonic() - began
            if (now := (len(following.ids), following.settled, told)) != progress:
                progress, progressed_at = now, time.monotonic()
        seconds = progressed_at - began
        cpu = {name: cpu_seconds(pid) - before[name] for name, pid in pids.items()}
        load_made = wrk.finish(program)
    cpu[LOAD_GENERATOR] = _own_cpu_seconds() - own - cpu.get(RECEIVER, 0.0)  # a child of this process
    return Course(
        following=following,
        load=load_made,
        accept_seconds=accept_seconds or seconds,
        seconds=seconds,
        cpu=cpu,
        heard=None if receiver is None else receiver.heard(),
    )


def _own_cpu_seconds() -> float:
    return cpu_seconds(os.getpid())


def taken(ids: Iterable[str], ledger: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """How often the provider took each of these messages, by its ledger."""
    counts = Counter(dict.fromkeys(ids, 0))
    for entry in ledger:
        if entry.get("tracking_id") in counts:
            counts[entry["tracking_id"]] += 1
    return counts


def problems(following: Following, counts: Counter[str], lost: int, heard: Counter[str] | None = None) -> list[str]:
    """Why the figures must not be believed; none: the account is right."""
    found = []
    if lost:
        found.append(f"{lost} messages were accepted and not {following.goal} within {_PATIENCE:.0f} s without progress")
    if following.otherwise:
        found.append(f"{len(following.otherwise)} messages ended otherwise: {sorted(set(following.otherwise.values()))}")
    if heard is not None and (untold := sum(heard[one] == 0 for one in following.ids)):
        found.append(f"the client was not told of {untold} messages")
    missing = sum(count == 0 for count in counts.values())
    if missing != lost:
        found.append(f"{missing} messages are not in the provider's ledger")
    if any(count > 1 for count in counts.values()):
        found.append(f"{sum(count > 1 for count in counts.values())} messages were sent more than once")
    return found


def _document(course: Course, counts: Counter[str], *, place: dict[str, Any]) -> dict[str, Any]:
    following = course.following
    accepted = len(following.ids)
    lost = len(following.unsettled())
    settled = accepted - lost
    apart = {SIMULATOR, LOAD_GENERATOR, RECEIVER}
    listed = sorted(course.cpu.items(), key=lambda item: -item[1])
    shown = [
        {"name": name, "cpu_seconds": round(cpu, 2), "cpu_microseconds_per_message": round(cpu / max(1, settled) * 1e6, 1)}
        for name, cpu in listed
    ]
    return {
        "messages_per_second": round(settled / course.seconds, 1),
        "messages": accepted,
        "lost": lost,
        "processes": [one for one in shown if one["name"] not in apart],
        "apart": [one for one in shown if one["name"] in apart],
        "settled": settled,
        "duplicates": sum(count > 1 for count in counts.values()),
        "in_ledger": sum(count > 0 for count in counts.values()),
        "seconds": round(course.seconds, 2),
        "refused": course.load.refusals,
        "accepted_per_second": round(accepted / course.accept_seconds, 1),
        "cores_used": round(sum(course.cpu.values()) / course.seconds, 2),
        "machine": place,
        "goal": following.goal,
        **({} if course.heard is None else {"webhooks": _webhooks(following.ids, course.heard)}),
        "problems": problems(following, counts, lost, course.heard),
    }


def _webhooks(ids: Iterable[str], heard: Counter[str]) -> dict[str, int]:
    counts = [heard[one] for one in ids]
    return {"told": sum(count > 0 for count in counts), "told_again": sum(count > 1 for count in counts)}


def show(told: dict[str, Any]) -> None:
    """For people."""
    last = "webhook" if "webhooks" in told else "send" if told["goal"] == Status.SENT else "report"
    print(f"\n{told['messages_per_second']:,.0f} messages a second from the first accept to the last {last}")
    print(f"  ({told['settled']:,} in {told['seconds']:.1f} s; accepted at {told['accepted_per_second']:,.0f} a second meanwhile)\n")
    print(f"{'':<16}{'CPU s':>8}{'µs a message':>14}")
    most = max(one["cpu_seconds"] for one in told["processes"])
    for one in [*told["processes"], *told["apart"]]:
        print(f"{one['name']:<16}{one['cpu_seconds']:>8.2f}{one['cpu_microseconds_per_message']:>14.0f}  {bar(one['cpu_seconds'], most)}")
    account = f"{told['messages']:,} accepted, {told['settled']:,} {told['goal']}, {told['lost']} lost, {told['duplicates']} sent twice"
    print(f"\naccount  {account}")
    if "webhooks" in told:
        print(f"webhooks {told['webhooks']['told']:,} messages told of, {told['webhooks']['told_again']:,} of them more than once")
    if told["refused"]:
        print(f"refused  {told['refused']:,} requests, made up for by others; why: ./smsgw logs gateway")
    print(f"machine  {machine.sentence(told['machine'])}; {told['cores_used']} cores busy with this")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./smsgw bench pipeline", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--messages", type=int, default=20_000, metavar="N", help="default: 20000")
    parser.add_argument("--connections", type=int, default=64, metavar="N", help="default: 64")
    parser.add_argument("--reports", action="store_true", help="the provider reports on each message; until all are delivered")
    parser.add_argument("--webhooks", action="store_true", help="the client is told of each delivery, too; means --reports")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
