"""What clients, hints and strangers put in: poison among good ones, copies of everything, cancels that overtake, clients that hang up."""

import json
import socket
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from chaos.account import Rules
from chaos.scenario import SLOW, suite
from chaos.stage import Stage
from chaos.waiting import NotSoError
from chaos.workload import Style
from sms_contract import topology

#: What a consumer may find in its queue one day.
_POISON = (
    b"\x00\xff not JSON",
    b"{}",
    b'{"type":"submission.v9","entries":[]}',
    b'{"type":"submission.v1","entries":[{"tracking_id":17}]}',
    b'{"type":"submission.v1","entries":["\\u0000"]}',
    b'{"type":"cancel.v1","entries":[{"client":"x"}]}',
)


@suite.scenario("F8", only_accepted=True)
def poison_among_good_ones(stage: Stage) -> None:
    """Envelopes that cannot be read come between good ones: each is parked, once, and holds up nothing."""
    sent = 0
    with stage.broker_channel() as channel:
        before = _parked(stage)
        for _ in stage.moments(3, least=0.1, most=0.5):
            for body in _POISON:
                for queue in (topology.SUBMISSIONS, topology.SUBMISSIONS_OTP):
                    stage.publish(channel, queue, body)
                    sent += 1
        stage.until(lambda: _parked(stage) == before + sent, f"{sent} parked")


def _parked(stage: Stage) -> int:
    with stage.system.sql() as connection:
        row = connection.execute("SELECT count(*) AS count FROM parked").fetchone()
    return int(row.count) if row is not None else 0


@suite.scenario("F10", only_accepted=True)
def ten_copies_of_every_hint(stage: Stage) -> None:
    """Celery's queues are flooded with hints and ticks, ten for each that there would be: one claim, one attempt."""
    with stage.broker_channel() as channel:
        for _ in stage.moments(12, least=0.1, most=0.3):
            for lane, queue in topology.DISPATCH.items():
                for copy in range(10):
                    stage.publish_task(channel, queue, "pipeline.dispatch", [lane, copy % 2])
            for task in ("pipeline.tick", "pipeline.sweep", "pipeline.readmodel"):
                for _copy in range(3):
                    stage.publish_task(channel, topology.UPKEEP, task, [])


@suite.scenario("F9", rules=Rules(ends=frozenset({"delivered", "canceled"})), style=Style(cancels=0.5), behaviour=SLOW, only_accepted=True)
def cancels_that_overtake(stage: Stage) -> None:
    """Half of the messages are asked back at once or soon, while intake and workers are killed: canceled or sent, never both."""
    for _ in stage.moments(3):
        # What is asked back is being sent.
        with stage.frozen("worker", "worker-otp"):
            stage.last(1, 2)
        # And here it comes together with what it asks back.
        stage.kill("intake")
        with stage.frozen("worker"):
            stage.last(1, 2)


@suite.scenario("F18")
def clients_hang_up(stage: Stage) -> None:
    """Hundreds of requests whose clients hang up in the middle: nobody gets anybody else's answer, and nothing leaks."""
    url = urlsplit(stage.system.instance.gateway_url)
    customer = stage.load.told[0].customer
    for _ in stage.moments(4, least=0.1, most=0.4):
        for number in range(60):
            body = json.dumps({"to": "+447700900001", "text": f"{stage.load.run} nobody {uuid4().hex}", "dry_run": True}).encode()
            head = (
                f"POST /v1/messages HTTP/1.1\r\nHost: {url.netloc}\r\nAPI-Key: {customer.key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            ).encode()
            with socket.create_connection((url.hostname or "", url.port or 80), timeout=5) as connection:
                connection.sendall(head + body[: len(body) if number % 3 else len(body) // 2])
        stage.until(lambda: not _half_closed(url.port or 80), "every connection closed whose client has gone", seconds=5)


def _half_closed(port: int) -> int:
    """Connections to a port that their clients have closed and the server has not: state 08 in /proc/net/tcp (`proc_pid_net(5)`)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[3] == "08" and int(row[1].rpartition(":")[2], 16) == port for row in rows)


@suite.scenario("F28", only_accepted=True)
def nothing_personal_in_the_logs(stage: Stage) -> None:
    """After all that, no log of any process holds a number, a text or a key."""
    stage.accepted(30)
    secrets = {stage.load.run: "a text", **{one.customer.key: "a key" for one in stage.load.told[:50]}, "+4477009": "a number"}
    for file in stage.system.instance.home.logs.glob("*.log*"):
        content = file.read_text(errors="replace")
        for secret, what in secrets.items():
            if secret in content:
                raise NotSoError(f"{file.name} holds {what}")
