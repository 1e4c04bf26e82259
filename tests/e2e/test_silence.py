"""
That nothing personal and nothing secret is written down: in no log and no metric, whatever the tests before this one have done.

The last file of its tier by its name, so that it reads what all of them have left.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from system import Provider, Sender, System, until

MakeSender = Callable[..., Sender]
MakeProvider = Callable[..., Provider]

#: What the tests send, and what the system makes: numbers in any notation, texts, keys, secrets of webhooks.
_PERSONAL = re.compile(
    r"447700900\d{3}|1500555\d{4}|Your code is|Your table is booked|sgw_(?:live|test)_[a-z0-9]+_[A-Za-z0-9]{8,}|whsec_[A-Za-z0-9+/]{8,}"
)
_SERVERS = re.compile(r"gateway|intake|worker|beat|web")
_HOME = Path(os.environ.get("SMSGW_HOME", "."))


def secrets() -> set[str]:
    """What this instance was made with: passwords, the pepper, the keys of keys."""
    held = json.loads((_HOME / "secrets.json").read_text())
    return {value for value in held.values() if len(value) >= 12}


def lines(*, of: re.Pattern[str] = re.compile("")) -> Iterator[tuple[str, str]]:
    for file in sorted((_HOME / "log").glob("*.log*")):
        if of.match(file.name):
            with file.open(errors="replace") as text:
                yield from ((file.name, line) for line in text)


def test_every_step_of_a_message_can_be_followed_by_one_command(sender: MakeSender, provider: MakeProvider, ready: System) -> None:
    shop, alpha = sender(), provider(reports={"statuses": [{"status": "delivered", "delay": 0.1}]})
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    accepted = shop.send(providers=[alpha.slug], traceparent=traceparent).json()["tracking_id"]
    shop.final(accepted)

    def told() -> list[dict[str, str]]:
        said = ready.run("logs", "--tracking-id", accepted, "--json")
        return (
            said if {"message.accepted", "intake.stored", "attempt.settled", "message.changed"} <= {line["event"] for line in said} else []
        )

    said = until(told, what="all processes heard of")
    assert said[0]["event"] == "message.accepted"
    assert {line["process"] for line in said} >= {"gateway", "intake", "worker", "worker-upkeep"}
    by_event = {line["event"]: line for line in said}
    assert by_event["attempt.settled"]["provider"] == alpha.slug
    assert by_event["attempt.settled"]["client"] == by_event["message.accepted"]["client"] == shop.id
    assert by_event["attempt.settled"]["trace_id"] == by_event["message.accepted"]["trace_id"] == traceparent[3:35]
    assert said[-1]["status"] == "delivered"


def test_every_line_of_our_processes_is_one_event_in_json(ready: System) -> None:
    strange = []
    for name, line in lines(of=_SERVERS):
        try:
            event = json.loads(line)
            whole = {"timestamp", "level", "event"} <= event.keys()
        except (ValueError, AttributeError):
            whole = False
        if not whole:
            strange.append((name, line[:160]))
    assert not strange


def test_no_log_holds_a_number_a_text_or_a_key(ready: System) -> None:
    read = 0
    found = []
    for name, line in lines():
        read += 1
        match = _PERSONAL.search(line)
        if match:
            found.append((name, match[0], line[:160]))
    assert read > 50, "there were logs to read"
    assert not found


def test_no_log_holds_a_secret_of_the_instance(ready: System) -> None:
    held = secrets()
    assert len(held) >= 5
    assert [(name, line[:80]) for name, line in lines() if any(secret in line for secret in held)] == []


def test_no_metric_does(ready: System) -> None:
    held = secrets()
    for base in (ready.gateway, ready.console):
        told = ready.http.get(f"{base}/metrics").raise_for_status().text
        assert "smsgw_" in told
        assert not _PERSONAL.search(told)
        assert not [secret for secret in held if secret in told]
