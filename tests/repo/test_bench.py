"""What the benchmarks make of what they measure: pure parts, and the promise that both sides stand on the same settings."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import uvicorn

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bench import echo, growth, pipeline, processes, wrk  # noqa: E402
from bench.errors import BenchError, Untrustworthy  # noqa: E402
from bench.figures import Account, Figures, bar, figures, ratio  # noqa: E402
from bench.following import Following  # noqa: E402
from bench.hearing import Receiver  # noqa: E402
from bench.wrk import Measurement  # noqa: E402
from sms_contract import keyspace  # noqa: E402
from sms_contract.status import Status  # noqa: E402
from sms_gateway import __main__ as gateway  # noqa: E402


def told(**changes) -> str:
    errors = {name: changes.pop(name, 0) for name in ("connect", "read", "write", "status", "timeout")}
    document = {"requests": 10_000, "microseconds": 2_000_000, "p50": 12_345.0, "p99": 45_678.0, "refusals": 0, "refusal": 0, **changes}
    return f"Running 2s test @ http://127.0.0.1/\n  10000 requests in 2.00s\nBENCH {json.dumps({**document, 'errors': errors})}\n"


def test_wrk_is_read_by_its_last_line():
    found = wrk.read(told())
    assert (found.requests_per_second, found.p50_ms, found.p99_ms) == (5000.0, 12.35, 45.68)


@pytest.mark.parametrize("changes", [{"status": 1}, {"timeout": 3}, {"read": 2}, {"connect": 1}, {"write": 1}, {"requests": 0}])
def test_anything_but_success_fails_the_benchmark(changes):
    with pytest.raises(Untrustworthy):
        wrk.read(told(**changes))


def test_what_a_limited_load_makes_up_for_is_told_and_not_an_error():
    found = wrk.read(told(status=7, refusals=7, refusal=503))
    assert (found.refusals, found.refusal) == (7, 503)


def test_a_wrk_that_died_is_not_a_measurement():
    with pytest.raises(BenchError, match="PANIC"):
        wrk.read("Running 2s test\nPANIC: unprotected error")


def test_a_disturbed_round_does_not_count():
    rounds = [Measurement(requests=n, seconds=1.0, p50_ms=p, p99_ms=p * 3) for n, p in ((5000, 10.0), (5100, 11.0), (900, 70.0))]
    assert figures(rounds) == Figures(requests_per_second=5000.0, p50_ms=11.0, p99_ms=33.0)


def test_the_ratio_is_the_gateways_rate_in_baselines():
    gateway_figures, baseline = (Figures(requests_per_second=rate, p50_ms=1.0, p99_ms=2.0) for rate in (4500.0, 5000.0))
    assert ratio(gateway_figures, baseline) == 0.9


def test_a_bar_is_as_long_as_its_share():
    assert (len(bar(50, 100, width=10)), len(bar(0, 100, width=10)), len(bar(100, 100, width=10))) == (5, 1, 10)


def account(**changes) -> Account:
    return Account(**{"answered": 990, "accepted": 1000, "queued": 1000, "distinct": 1000, "cut_off": 64, **changes})


def test_an_account_that_agrees_has_no_problems():
    assert (account().lost, account().problems()) == (0, [])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"queued": 999, "distinct": 999}, "1 messages were accepted and are not in the queue"),
        ({"queued": 1001, "distinct": 1001}, "1 messages are in the queue that nobody accepted"),
        ({"queued": 1000, "distinct": 998}, "2 messages are in the queue twice"),
        ({"answered": 1001}, "the clients saw 1001 accepted, the gateway counted 1000"),
        ({"answered": 900}, "the clients saw 900 accepted, the gateway counted 1000"),
    ],
)
def test_an_account_that_does_not_agree_says_how(changes, said):
    assert said in account(**changes).problems()


def test_the_ledger_counts_each_message_of_this_run_only():
    ledger = [{"tracking_id": "a"}, {"tracking_id": "a"}, {"tracking_id": "b"}, {"tracking_id": "of another run"}, {}]
    assert dict(pipeline.taken(["a", "b", "c"], ledger)) == {"a": 2, "b": 1, "c": 0}


class ReadModel:
    """Redis, as far as `Following` needs it."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    def mget(self, keys):
        return [self.values.get(key) for key in keys]

    def show(self, tracking_id: str, status: str) -> None:
        document = json.dumps({"status": status}).encode()
        self.values[keyspace.status("c", tracking_id)] = b"3|0|" + document


def test_following_goes_on_from_the_first_that_is_not_settled(tmp_path):
    ids = [f"0192f0c1-0000-7000-8000-{number:012d}" for number in range(4)]
    read_model, file = ReadModel(), tmp_path / "ids"
    following = Following(redis=read_model, client_id="c", ids_file=file)
    following.look()
    assert (following.ids, following.settled) == ([], 0)

    file.write_text("\n".join(ids[:3]) + "\n" + ids[3][:10])
    for tracking_id, status in zip(ids, ["sent", "sending", "failed", "sent"], strict=True):
        read_model.show(tracking_id, status)
    following.look()
    assert (following.ids, following.settled, following.unsettled()) == (ids[:3], 1, [ids[1]])

    file.write_text("\n".join(ids) + "\n")
    read_model.show(ids[1], "sent")
    following.look()
    assert (following.settled, following.unsettled(), following.otherwise) == (4, [], {ids[2]: "failed"})


def test_the_baselines_stand_on_the_gateways_uvicorn_settings(monkeypatch):
    used = {}
    settings = {"REDIS_URL": "redis://h/0", "RABBITMQ_URL": "amqp://h/v", "PUBLIC_BASE_URL": "http://h", "SMSGW_KEY_PEPPER": "p" * 32}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    monkeypatch.setattr(uvicorn, "run", lambda *_, **options: used.update(options))
    monkeypatch.setattr(gateway.logs, "configure", lambda *_: None)
    gateway.configuration.from_environment.cache_clear()
    gateway.main()
    own = {"factory", "host", "port", "workers"}
    # The gateway's own protocol is a part of it; the baselines are what people would otherwise run.
    assert used.pop("http") == "sms_gateway.protocol:Protocol"
    assert {name: value for name, value in used.items() if name not in own} | {"http": "httptools"} == echo.UVICORN


@pytest.mark.parametrize("app", [echo.fastapi_echo(), echo.asgi_echo()], ids=["fastapi", "asgi"])
def test_a_baseline_echoes_the_body_with_202(app):
    sent = []
    body = b'{"to":"+447911123456","text":"Hello","from":"ACME","reference":"order-17"}'
    scope = {"type": "http", "method": "POST", "path": "/v1/messages", "headers": [(b"content-type", b"application/json")]}
    scope |= {"query_string": b"", "http_version": "1.1", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "scheme": "http"}

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 202
    assert json.loads(b"".join(message.get("body", b"") for message in sent)) == json.loads(body)


def test_processor_time_is_counted_with_children():
    before = processes.cpu_seconds(os.getpid())
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.2: pass"], check=True)
    assert processes.cpu_seconds(os.getpid()) - before > 0.15  # ticks are of 10 ms


def test_a_process_that_is_gone_uses_nothing():
    assert processes.cpu_seconds(2**22 + 1) == 0


def test_with_reports_a_message_is_not_settled_before_it_is_delivered(tmp_path):
    ids = [f"0192f0c1-0000-7000-8000-{number:012d}" for number in range(2)]
    read_model, file = ReadModel(), tmp_path / "ids"
    following = Following(redis=read_model, client_id="c", ids_file=file, goal=Status.DELIVERED)
    file.write_text("\n".join(ids) + "\n")
    for tracking_id, status in zip(ids, ["delivered", "sent"], strict=True):
        read_model.show(tracking_id, status)
    following.look()
    assert (following.settled, following.unsettled()) == (1, [ids[1]])
    read_model.show(ids[1], "undelivered")
    following.look()
    assert (following.settled, following.otherwise) == (2, {ids[1]: "undelivered"})


def test_the_client_has_to_hear_of_each_message(tmp_path):
    ids = [f"0192f0c1-0000-7000-8000-{number:012d}" for number in range(3)]
    file = tmp_path / "heard"
    receiver = Receiver(pid=0, url="", file=file)
    assert (receiver.count(), receiver.heard()) == (0, {})
    file.write_text("\n".join([ids[0], ids[1], ids[1]]) + "\n")
    assert (receiver.count(), receiver.heard()[ids[1]]) == (3, 2)

    following = Following(redis=ReadModel(), client_id="c", ids_file=file, goal=Status.DELIVERED, ids=ids)
    once = pipeline.taken(ids, [{"tracking_id": one} for one in ids])
    assert pipeline.problems(following, once, 0, receiver.heard()) == ["the client was not told of 1 messages"]
    assert pipeline.problems(following, once, 0) == []


def test_consumers_are_counted_by_kind():
    assert pipeline.consumers(["intake", "intake-2", "worker", "worker-otp", "worker-upkeep"]) == {"intake": 2, "worker": 1}


def test_growth_knows_the_statements_that_it_measures():
    source = "".join(path.read_text() for path in (ROOT / "services/backend/src/sms_backend/messages").glob("*.py"))
    for name, words in growth.STATEMENTS.items():
        parts = [part.strip() for part in words.replace("$", "'sending'").split("%")]
        assert all(part in source for part in parts), name
