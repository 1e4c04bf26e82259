"""Whatever is killed: nothing accepted is lost, nothing is sent twice. The simulator's ledger is the judge."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import httpx
import pytest
from system import Provider, Sender, System, until

pytestmark = pytest.mark.timeout(180)

QUICK = {"statuses": [{"status": "delivered", "delay": 0.05}]}
MakeSender = Callable[..., Sender]
MakeProvider = Callable[..., Provider]


class Load:
    """A good client: keys of its own, repeating with the same key what was not accepted."""

    def __init__(self, sender: Sender, provider: Provider, **fields: str) -> None:
        self._fields = fields
        self.accepted: dict[str, str] = {}  #: text to tracking id
        self.answers: Counter[int] = Counter()
        self.codes: Counter[str] = Counter()
        self._sender, self._provider = sender, provider
        self._stopping = threading.Event()

    @contextmanager
    def running(self, threads: int = 4) -> Iterator["Load"]:
        workers = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        for worker in workers:
            worker.start()
        try:
            yield self
        finally:
            self._stopping.set()
            for worker in workers:
                worker.join(timeout=60)

    def _work(self) -> None:
        with httpx.Client(timeout=10) as http:
            while not self._stopping.is_set():
                self._one(http, f"Your code is {uuid4().hex}", uuid4().hex)
                # A steady stream: what is under test is a fault in it, not how much there can be of it.
                self._stopping.wait(0.03)

    def _one(self, http: httpx.Client, text: str, key: str) -> None:
        body = {"to": "+447700900123", "text": text, "providers": [self._provider.slug]} | self._fields
        headers = {"API-Key": self._sender.key, "Idempotency-Key": key}
        # It keeps on after the load has stopped: a client that has asked wants to know.
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                answer = http.post(f"{self._sender.system.gateway}/v1/messages", json=body, headers=headers)
            except httpx.HTTPError:
                time.sleep(0.1)
                continue
            self.answers[answer.status_code] += 1
            if answer.status_code == 202:
                self.accepted[text] = answer.json()["tracking_id"]
                return
            self.codes[answer.json()["code"]] += 1
            time.sleep(0.1)

    def sent_once_each(self, system: System) -> None:
        """The account: everything accepted was sent, once, and nothing else was."""
        wanted = Counter(dict.fromkeys(self.accepted, 1))
        until(lambda: len(system.ledger(self._provider)) >= len(wanted), seconds=60, what=f"{len(wanted)} sends")
        sent = Counter(entry["body"] for entry in system.ledger(self._provider))
        assert wanted - sent == Counter(), "accepted and not sent"
        assert sent - wanted == Counter(), "sent twice, or never accepted"

    def sent_at_most_once_each(self, system: System) -> None:
        """The account where outcomes may be unknown: none twice, and whatever was not sent says that it may not have been."""
        ended = {text: self._sender.final(tracking_id, seconds=90)["status"] for text, tracking_id in self.accepted.items()}
        assert set(ended.values()) <= {"delivered", "unknown"}
        sent = Counter(entry["body"] for entry in system.ledger(self._provider))
        assert max(sent.values()) == 1
        assert set(sent) <= set(ended), "never accepted"
        assert {text for text, status in ended.items() if status == "delivered"} <= set(sent)
        assert {text for text in ended if text not in sent} <= {text for text, status in ended.items() if status == "unknown"}
        assert len(sent) >= len(ended) * 0.5

    def all_final(self, statuses: set[str]) -> None:
        seen = {self._sender.final(tracking_id, seconds=60)["status"] for tracking_id in self.accepted.values()}
        assert seen <= statuses


def wait_for(load: Load, count: int) -> None:
    until(lambda: len(load.accepted) >= count, seconds=60, what=f"{count} accepted (answers: {load.answers}, {load.codes})")


def test_intake_killed_again_and_again_loses_and_doubles_nothing(sender: MakeSender, provider: MakeProvider, ready: System) -> None:
    load = Load(sender(), provider(reports=QUICK))
    with load.running():
        for round_number in range(1, 5):
            wait_for(load, 60 * round_number)
            ready.signal("intake")
        wait_for(load, 300)
    assert set(load.answers) == {202}, "the gateway must not notice"
    load.sent_once_each(ready)
    load.all_final({"delivered"})


def test_a_worker_killed_in_the_middle_of_sends_leaves_messages_that_end_well(
    sender: MakeSender, provider: MakeProvider, ready: System
) -> None:
    slow = provider(latency=0.5, reports={"statuses": [{"status": "delivered", "delay": 0.8}]})
    load = Load(sender(), slow)
    with load.running():
        wait_for(load, 40)
        until(lambda: len(ready.ledger(slow)) > 5, what="sends under way")
        ready.signal("worker")
        wait_for(load, 120)
    load.sent_once_each(ready)
    load.all_final({"delivered"})


def test_the_broker_killed_during_accepts_gives_503_and_no_loss(sender: MakeSender, provider: MakeProvider, ready: System) -> None:
    load = Load(sender(), provider(reports=QUICK))
    with load.running():
        wait_for(load, 50)
        ready.signal("rabbitmq")
        until(lambda: load.answers[503] > 0, seconds=20, what="503")
        wait_for(load, len(load.accepted) + 50)
    assert set(load.answers) <= {202, 503, 409}
    assert set(load.codes) <= {"broker.unavailable", "broker.unconfirmed", "overloaded", "idempotency.in_progress"}
    load.sent_once_each(ready)


def test_redis_restarted_empty_under_load_is_503_until_it_is_right_again(
    sender: MakeSender, provider: MakeProvider, ready: System, empty_redis: Callable[[], None]
) -> None:
    shop = sender("--daily-quota=100000", fresh=True)
    load = Load(shop, provider(reports=QUICK))
    with load.running():
        wait_for(load, 50)
        known = next(iter(load.accepted.values()))
        empty_redis()
        until(lambda: load.answers[503] > 0, seconds=20, what="503")
        while not ready.is_ready():
            assert shop.get(known).status_code in {200, 503}, "a message that exists is never 404"
        wait_for(load, len(load.accepted) + 50)
    assert set(load.answers) <= {202, 503, 409}, load.codes
    load.sent_once_each(ready)
    load.all_final({"delivered"})
    assert shop.account()["quota"]["used"] >= len(load.accepted), "never undercharged"
    until(lambda: shop.account()["quota"]["used"] == len(load.accepted), seconds=10, what="charged once each")


def test_everything_of_ours_killed_at_once_heals(sender: MakeSender, provider: MakeProvider, ready: System) -> None:
    # `hold`: where nobody can know whether a killed worker's post went out, it is never sent again.
    load = Load(sender(), provider(reports=QUICK), on_unknown="hold")
    with load.running():
        wait_for(load, 40)
        for name in ("gateway", "intake", "worker", "worker-upkeep", "beat", "web"):
            ready.signal(name)
        wait_for(load, len(load.accepted) + 60)
    load.sent_at_most_once_each(ready)
