"""Two of each process on the same queues, some of them killed under load: the simulator's ledger has each message once."""

import signal
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest
from system import Provider, Sender, System, until

pytestmark = pytest.mark.timeout(900)

LANES = ("otp", "transactional", "promotional")
SINGLES, BATCHES, OF_A_BATCH = 300, 8, 50


def say(sender: Sender, path: str, body: dict[str, object]) -> httpx.Response:
    """A good client: the same key until it knows, and twice anyway."""
    headers = {"API-Key": sender.key, "Idempotency-Key": uuid4().hex}

    def once() -> httpx.Response | None:
        try:
            answer = httpx.post(f"{sender.system.gateway}{path}", json=body, headers=headers, timeout=10)
        except httpx.HTTPError:
            return None
        return answer if answer.status_code < 500 and answer.status_code != 409 else None

    first = until(once, seconds=60, what="an answer")
    again = until(once, seconds=60, what="the same answer")
    assert again.json() == first.json()
    assert first.status_code == 202
    return first


@pytest.fixture(scope="module")
def sent(vendor: Provider, senders: list[Sender]) -> dict[str, tuple[Sender, str]]:
    """What was accepted, by its text: whose, and under which id. Kills go on meanwhile."""
    accepted: dict[str, tuple[Sender, str]] = {}

    def single(number: int) -> None:
        sender, text = senders[number % len(senders)], f"single {uuid4().hex}"
        body = {"to": "+447700900123", "text": text, "providers": [vendor.slug], "traffic_type": LANES[number % 3]}
        accepted[text] = sender, say(sender, "/v1/messages", body).json()["tracking_id"]

    def batch(number: int) -> None:
        sender, texts = senders[number % len(senders)], [f"batch {uuid4().hex}" for _ in range(OF_A_BATCH)]
        body = {"defaults": {"providers": [vendor.slug]}, "messages": [{"to": "+447700900124", "text": text} for text in texts]}
        messages = say(sender, "/v1/batches", body).json()["messages"]
        accepted.update({text: (sender, one["tracking_id"]) for text, one in zip(texts, messages, strict=True)})

    system = senders[0].system
    calm = threading.Event()
    killer = threading.Thread(target=kill_now_and_then, args=(system, calm))
    killer.start()
    try:
        with ThreadPoolExecutor(8) as pool:
            futures = [pool.submit(single, number) for number in range(SINGLES)] + [pool.submit(batch, number) for number in range(BATCHES)]
            for future in futures:
                future.result()
    finally:
        calm.set()
        killer.join()
    assert len(accepted) == SINGLES + BATCHES * OF_A_BATCH
    return accepted


def kill_now_and_then(system: System, calm: threading.Event) -> None:
    """Not the workers: what those were sending nobody knows afterwards, which is another test's."""
    for name in ("intake-2", "beat", "intake", "beat-2", "intake-2"):
        if calm.wait(1.5):
            return
        system.signal(name, signal.SIGKILL)


def test_two_of_each_send_everything_once(system: System, vendor: Provider, sent: dict[str, tuple[Sender, str]]) -> None:
    running = system.processes()
    assert {"intake-2", "worker-2", "worker-otp-2", "worker-upkeep-2", "beat-2"} <= running.keys()
    until(lambda: len(system.ledger(vendor)) >= len(sent), seconds=300, what=f"{len(sent)} sends")
    for sender, tracking_id in sent.values():
        assert sender.final(tracking_id, seconds=180)["status"] == "delivered"
    counted = Counter(entry["body"] for entry in system.ledger(vendor))
    assert set(counted.values()) == {1}
    assert counted.keys() == sent.keys()


def test_nobody_waited_for_nobody(
    system: System, senders: list[Sender], sent: dict[str, tuple[Sender, str]], said_by_postgresql: Callable[[], str]
) -> None:
    """No deadlock was found by PostgreSQL, and both web processes tell the same."""
    for sender, tracking_id in sent.values():
        sender.final(tracking_id, seconds=180)
    assert "deadlock detected" not in said_by_postgresql()
    mine = sorted(tracking_id for sender, tracking_id in sent.values() if sender is senders[0])
    told = set()
    for _ in range(8):
        # A connection of its own each, so that both processes get some.
        url = f"{system.console}/v1/history/messages?limit=1000"
        answer = httpx.get(url, headers={"API-Key": senders[0].key}, timeout=30)
        assert answer.status_code == 200
        told.add(tuple(sorted(message["tracking_id"] for message in answer.json()["data"])))
    assert told == {tuple(mine)}
