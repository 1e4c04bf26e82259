"""A real database is dumped, goes on, is lost and restored from the older dump: the simulator's ledger says that nothing goes out twice."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.request import Request, urlopen

import psycopg
import pytest
from django.db import connection, connections
from django.utils import timezone

from sms_backend.accounts.models import Client
from sms_backend.core import broker
from sms_backend.core.cache import cache
from sms_backend.core.crypto import seal
from sms_backend.core.errors import ConflictError, InvalidError
from sms_backend.core.operator import Error
from sms_backend.messages import drain, pseudonyms
from sms_backend.messages.models import Attempt, Message, Receipt
from sms_backend.messages.projection import project_due
from sms_backend.pipeline import readmodel, upkeep
from sms_backend.pipeline.adapters import adapters
from sms_backend.pipeline.dispatch import dispatch
from sms_backend.pipeline.intake import Delivery, take
from sms_backend.pipeline.recovery import recover
from sms_backend.routing import selectors
from sms_backend.routing.models import Pause, Provider
from sms_contract import envelope, keyspace
from sms_contract.ids import uuid7
from sms_stack.pytest_services import with_path
from sms_stack.services import postgresql

SID = "AC" + "7" * 32


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "sms_simulators", "--port", "0", "--ledger", str(tmp_path / "ledger.jsonl")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("listening on ").strip()
        account = json.dumps({"auth_token": "the-token", "behaviour": {"reports": {"statuses": []}}}).encode()
        try:
            urlopen(Request(f"{url}/control/accounts/{SID}", data=account, method="PUT"), timeout=5).close()
            yield url
        finally:
            process.terminate()


@pytest.fixture
def sent(simulator):
    """How often the vendor has taken each message."""

    def count() -> Counter[str]:
        with urlopen(f"{simulator}/control/ledger?account={SID}", timeout=5) as answer:
            return Counter(entry["tracking_id"] for entry in json.load(answer)["entries"])

    return count


@pytest.fixture
def alpha(client, ready, simulator, rabbitmq_url):
    broker.declare_topology()
    config = {"account_sid": SID, "auth_token": "the-token", "base_url": simulator}
    made = Provider.objects.create(slug="alpha", adapter="twilio", config=seal(config))
    adapters.forget()
    selectors.forget()
    return made


@pytest.fixture
def live(stored):
    return lambda **fields: stored(**({"mode": "live", "to": "+447911123456", "sender": "ACME"} | fields)).tracking_id


class Backup:
    """`pg_dump`, and the same database made from it anew."""

    def __init__(self, url: str, file: Path) -> None:
        self.url = url
        self.file = file
        self.made_at = timezone.now()
        self._run("pg_dump", "--format=custom", f"--file={file}", url)

    def restore(self) -> None:
        connections.close_all()
        connection.close_pool()
        name = self.url.rpartition("/")[2]
        with psycopg.connect(with_path(self.url, "postgres"), autocommit=True) as server:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
            server.execute(f"CREATE DATABASE {name}")
        self._run("pg_restore", "--exit-on-error", "--no-owner", f"--dbname={self.url}", str(self.file))
        for remembered in (adapters, selectors, pseudonyms):
            remembered.forget()

    @staticmethod
    def _run(program: str, *arguments: str) -> None:
        folder = postgresql.binary()
        assert folder is not None
        subprocess.run([folder / program, *arguments], check=True, capture_output=True, timeout=120)


@pytest.fixture
def back_up(database_url, tmp_path):
    return lambda: Backup(database_url, tmp_path / "backup.dump")


def show():
    with connection.cursor() as cursor:
        cursor.execute("UPDATE projection_due SET due_at = now(), while_status = NULL")
    while project_due():
        pass


def go_on():
    """Sending goes on, and whatever is due comes again and again."""
    for _ in range(3):
        Message.objects.filter(status="queued").update(next_attempt_at=timezone.now())
        dispatch("transactional", until=0)
        upkeep.sweep()


def test_nothing_is_sent_twice_after_a_restore(alpha, live, submission, sent, back_up, manage_json, manage):
    early = [live() for _ in range(3)]
    dispatch("transactional", until=0)
    waiting = [live() for _ in range(6)]
    later = [live(send_at=int(timezone.now().timestamp() * 1000) + 3_600_000) for _ in range(2)]
    under_way = live()
    Message.objects.filter(id=under_way).update(
        status="sending", attempts=1, provider="alpha", next_attempt_at=None, lease_until=timezone.now() + timedelta(seconds=20)
    )
    Attempt.objects.create(message_id=under_way, number=1, provider="alpha", outcome="started", decision={}, started_at=timezone.now())
    show()
    backup = back_up()

    # Life goes on: all that waited goes out, and more comes.
    dispatch("transactional", until=0)
    came_after = [submission(mode="live", to="+447911123457", sender="ACME") for _ in range(4)]
    envelopes = [
        Delivery(
            queue="sms.submissions",
            body=envelope.encode_envelope(envelope.SUBMISSION_V1, [envelope.encode_entry(one)]),
            message_id=one.tracking_id,
        )
        for one in came_after
    ]
    take(envelopes[:3])
    dispatch("transactional", until=0)
    show()
    before = sent()
    after_ids = [one.tracking_id for one in came_after]
    assert before == Counter([*early, *waiting, *after_ids[:3]])
    # Redis has lost half of what it knew of those that waited.
    cache.delete(*(keyspace.status(came_after[0].client, one) for one in waiting[:3]))

    backup.restore()
    assert Message.objects.filter(status="queued").count() == len(waiting)
    counts = manage_json("recover", f"--since={backup.made_at.isoformat()}")
    assert {name: counts[name] for name in ("held", "taken_from_redis", "left", "put_back", "missing", "paused")} == {
        "held": 4,
        "taken_from_redis": 3,
        "left": 5,
        "put_back": 3,
        "missing": [],
        "paused": True,
    }
    # The broker delivers again what nobody had acknowledged; one of it is new, and stays what it is however often this is done.
    take(envelopes)
    again = manage_json("recover", f"--since={backup.made_at.isoformat()}")
    assert (again["held"], again["left"], again["missing"]) == (0, 12, [])
    go_on()
    assert sent() == before
    assert Pause.objects.count() == 1
    manage("resume")
    go_on()
    assert sent() == before + Counter(after_ids[3:])

    statuses = {str(m.id): m.status for m in Message.objects.all()}
    assert {statuses[one] for one in waiting[:3]} == {statuses[under_way]} == {"unknown"}
    assert {statuses[one] for one in waiting[3:]} == {statuses[one] for one in after_ids[:3]} == {"sent"}
    assert {statuses[one] for one in later} == {"scheduled"}
    assert Attempt.objects.get(message_id=under_way).outcome == "unknown"
    # Clients see it, and what Redis has shows no older one again.
    for tracking_id in (waiting[0], under_way):
        shown = cache.get(keyspace.status(came_after[0].client, tracking_id))
        assert b'"status":"unknown"' in shown
    # A late report still finds what was put back.
    restored = Message.objects.get(id=after_ids[0])
    assert restored.text == ""
    now = timezone.now()
    Receipt.objects.create(
        id=uuid7(int(now.timestamp() * 1000)),
        provider="alpha",
        provider_message_id=restored.provider_message_id,
        status="delivered",
        received_at=now,
    )
    upkeep.sweep()
    assert Message.objects.get(id=after_ids[0]).status == "delivered"


def test_what_only_redis_knows_is_named_and_the_read_model_put_right(alpha, live, back_up, client, manage_json):
    live()
    backup = back_up()
    lost = live()
    Client.objects.create(id="c0ffee000009", name="late")
    readmodel.refresh()
    show()
    backup.restore()
    looked = manage_json("recover", f"--since={backup.made_at.isoformat()}", "--dry-run")
    assert (looked["missing"], looked["held"], looked["paused"]) == ([lost], 1, False)
    assert Message.objects.get().status == "queued"
    assert not Pause.objects.exists()
    assert manage_json("recover", f"--since={backup.made_at.isoformat()}")["held"] == 1
    # Once more changes nothing more.
    again = manage_json("recover", f"--since={backup.made_at.isoformat()}")
    assert (again["held"], again["missing"]) == (0, [lost])
    # A client of after the backup is unknown to PostgreSQL, and soon to the gateway.
    readmodel.rebuild(lambda _: None)
    assert not cache.exists(keyspace.client("c0ffee000009"))
    assert cache.exists(keyspace.client(client.id))


def test_it_is_not_done_while_intake_runs(client, ready):
    drain.beat(uuid7(1), held_for=None, empty=True)
    with pytest.raises(ConflictError, match="stop intake, workers and beat first"):
        recover(timezone.now(), timezone.now())
    assert not Pause.objects.exists()
    with pytest.raises(InvalidError, match="in the future"):
        recover(timezone.now() + timedelta(days=1), timezone.now())


@pytest.mark.parametrize(("text", "said"), [("yesterday", "is no moment"), ("2026-11-25 03:00", "in which time zone")])
def test_a_moment_that_is_none_is_refused_in_words(manage, text, said):
    with pytest.raises(Error, match=said):
        manage("recover", f"--since={text}")
