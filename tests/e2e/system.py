"""The running system, as a client, an operator and a fault see it: HTTP, `./smsgw manage`, the simulator's ledger, signals."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from sms_stack import lifecycle
from sms_stack.home import Home
from sms_stack.instance import Instance
from sms_stack.tiers import IMPATIENT, own_environment

ROOT = Path(__file__).parents[2]


def until[T](condition: Callable[[], T], *, seconds: float = 20.0, what: str = "") -> T:
    """The first truthy value of a condition, or an `AssertionError` that says what was waited for and what was seen."""
    deadline = time.monotonic() + seconds
    while True:
        seen = condition()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"{what or 'it'} did not come true within {seconds} s; last seen: {seen!r}")
        time.sleep(0.05)


@dataclass
class System:
    """One instance of everything."""

    gateway: str
    console: str
    simulator: str
    http: httpx.Client

    @cached_property
    def instance(self) -> Instance:
        return Instance.load(Home.from_environment(), given=own_environment() | IMPATIENT)

    def manage(self, *arguments: str, feed: str | None = None) -> Any:
        """An operator's command; its JSON document. Without the entry, which the guides' commands go through, and a second of which is spared."""
        return json.loads(lifecycle.manage(self.instance, *arguments, "--json", feed=feed))

    def run(self, *arguments: str, feed: str | None = None) -> Any:
        """Any command that is told to print JSON; its document."""
        command = [str(ROOT / "smsgw"), *arguments]
        done = subprocess.run(command, input=feed, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def processes(self) -> dict[str, int]:
        """Names and pids of what runs, services included."""
        done = subprocess.run([str(ROOT / "smsgw"), "status", "--json"], capture_output=True, text=True, timeout=60, check=True)
        document = json.loads(done.stdout)
        return {each["name"]: each["pid"] for each in [*document["processes"], *document["services"]] if each["pid"]}

    def signal(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to a process by its name; returns its pid."""
        pid = until(lambda: self.processes().get(name), what=f"{name} running") or 0
        os.kill(pid, number)
        return pid

    def is_ready(self) -> bool:
        """Whether the gateway says so, and Server B too."""
        try:
            return all(self.http.get(f"{base}/readyz").status_code == 200 for base in (self.gateway, self.console))
        except httpx.HTTPError:
            return False

    def behave(self, provider: "Provider", **behaviour: Any) -> None:
        """Have a simulated provider behave from now on."""
        body = {"auth_token": provider.auth_token, "behaviour": behaviour}
        self.http.put(f"{self.simulator}/control/accounts/{provider.account_sid}", json=body).raise_for_status()

    def add_provider(self, *options: str, **behaviour: Any) -> "Provider":
        """A simulated provider, by the operator's command."""
        number = uuid4().hex
        new = Provider(slug=f"e2e-{number[:8]}", account_sid=f"AC{number}", auth_token=uuid4().hex)
        self.behave(new, **behaviour)
        config = {"account_sid": new.account_sid, "auth_token": new.auth_token, "base_url": self.simulator}
        self.manage("provider", "add", new.slug, "--adapter=twilio", *options, "--config=-", feed=json.dumps(config))
        return new

    def add_sender(self, *options: str, mode: str = "live") -> "Sender":
        """A client with a key, by the operator's commands."""
        name = f"e2e-{uuid4().hex[:8]}"
        client = self.manage("client", "add", name, *options)
        return Sender(system=self, name=name, id=client["id"], key=self.manage("key", "add", name, f"--mode={mode}")["key"])

    def ledger(self, provider: "Provider") -> list[dict[str, Any]]:
        """What a simulated provider has taken, in order."""
        answer = self.http.get(f"{self.simulator}/control/ledger", params={"account": provider.account_sid}).raise_for_status()
        return [entry for entry in answer.json()["entries"] if entry["outcome"].startswith("accept")]


@contextmanager
def opened(tier: str, *, timeout: float = 10.0) -> Iterator[System]:
    """The system that `./smsgw test TIER` has brought up and named in the environment, once it is ready."""
    if "E2E_GATEWAY_URL" not in os.environ:
        raise pytest.UsageError(f"No system to test: run these tests by ./smsgw test {tier}")
    with httpx.Client(timeout=timeout) as http:
        found = System(
            gateway=os.environ["E2E_GATEWAY_URL"],
            console=os.environ["E2E_CONSOLE_URL"],
            simulator=os.environ["E2E_SIMULATOR_URL"],
            http=http,
        )
        until(found.is_ready, seconds=90, what="the system ready")
        yield found


@dataclass(frozen=True)
class Provider:
    slug: str
    account_sid: str
    auth_token: str


@dataclass(frozen=True)
class Sender:
    """A client of the gateway, with its key."""

    system: System
    name: str
    id: str
    key: str

    def send(self, to: str = "+447700900123", *, key: str | None = None, traceparent: str | None = None, **fields: Any) -> httpx.Response:
        headers = {"API-Key": self.key} | ({"Idempotency-Key": key} if key else {}) | ({"traceparent": traceparent} if traceparent else {})
        body = {"to": to, "text": f"Your code is {uuid4().hex[:6]}"} | fields
        return self.system.http.post(f"{self.system.gateway}/v1/messages", json=body, headers=headers)

    def get(self, tracking_id: str) -> httpx.Response:
        return self.system.http.get(f"{self.system.gateway}/v1/messages/{tracking_id}", headers={"API-Key": self.key})

    def look(self) -> httpx.Response:
        return self.system.http.get(f"{self.system.gateway}/v1/account", headers={"API-Key": self.key})

    def account(self) -> dict[str, Any]:
        return dict(self.look().raise_for_status().json())

    def final(self, tracking_id: str, *, seconds: float = 30.0) -> dict[str, Any]:
        """The message once it is final."""

        def ended() -> dict[str, Any] | None:
            answer = self.get(tracking_id)
            return answer.json() if answer.status_code == 200 and answer.json()["is_final"] else None

        return until(ended, seconds=seconds, what=f"{tracking_id} final ({self.get(tracking_id).text[:300]})") or {}
