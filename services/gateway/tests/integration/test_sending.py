"""`POST /v1/messages` from end to end."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sms_contract import keyspace, topology
from sms_contract.keyspace import ProviderRecord


async def test_a_message_is_durably_queued_and_can_be_read_at_once(system) -> None:
    answer = await system.send("k1", **{"from": "ACME"}, reference="order-17")
    assert answer.status_code == 202
    body = answer.json()
    assert list(body) == [
        "tracking_id",
        "status",
        "is_final",
        "version",
        "mode",
        "to",
        "from",
        "segments",
        "reference",
        "metadata",
        "created_at",
    ]
    assert (body["status"], body["mode"], body["from"], body["reference"], body["version"]) == ("accepted", "live", "ACME", "order-17", 0)
    assert answer.headers["location"] == f"/v1/messages/{body['tracking_id']}"
    assert "idempotent-replayed" not in answer.headers
    assert len(answer.headers["x-request-id"]) == 32

    read = (await system.get(answer.headers["location"])).json()
    assert {name: read[name] for name in body} == body
    assert (read["provider"], read["error"], read["attempts"], read["aliases"]) == (None, None, 0, [])

    (submission,) = await system.queued()
    assert (submission.tracking_id, submission.text, submission.sender) == (body["tracking_id"], "a text that no log may hold", "ACME")
    assert submission.idempotency == keyspace.idempotency_digest("live", "k1")
    assert await system.used() == 1


async def test_a_one_time_password_has_a_queue_of_its_own(system) -> None:
    await system.send(traffic_type="otp")
    assert len(await system.queued(topology.SUBMISSIONS_OTP)) == 1
    assert await system.queued() == []


async def test_a_test_key_is_never_charged(system) -> None:
    answer = await system.send(api_key="sgw_test_test1_s3cret_with_underscores", providers=["alpha"], callback_url="http://localhost:1/x")
    assert (answer.status_code, answer.json()["mode"]) == (202, "test")
    (submission,) = await system.queued()
    assert (submission.mode, submission.charged_day, submission.callback_url) == ("test", None, "http://localhost:1/x")
    assert await system.used() == 0


async def test_a_dry_run_leaves_no_trace(system) -> None:
    await system.add_client(daily_limit=5, rate=1, burst=1, default_sender="ACME")
    for _ in range(3):
        answer = await system.send("k", dry_run=True)
        assert answer.status_code == 200
        assert answer.json() == {
            "to": "+447911123456",
            "from": "ACME",
            "segments": {"count": 1, "encoding": "gsm7", "characters": 27},
            "providers": ["alpha"],
        }
    assert (await system.queued(), await system.traces(), await system.used()) == ([], set(), 0)
    assert (await system.send("k", dry_run=True, text="a" * 1000)).status_code == 429


async def test_many_at_once_share_envelopes_and_each_gets_his_own_answer(system) -> None:
    answers = await asyncio.gather(*(system.send(f"k{i}", reference=f"r{i}") for i in range(100)))
    assert [answer.json()["reference"] for answer in answers] == [f"r{i}" for i in range(100)]
    queued = {submission.tracking_id: submission.reference for submission in await system.queued()}
    assert queued == {answer.json()["tracking_id"]: answer.json()["reference"] for answer in answers}


async def test_one_that_is_refused_leaves_its_neighbours_alone(system) -> None:
    await system.add_client(daily_limit=150)
    await system.send("taken")
    calls = [
        system.send(f"k{i}") if i % 4 else system.send("taken", text="another") if i % 8 else system.send(f"long{i}", text="a" * 1530)
        for i in range(40)
    ]
    answers = await asyncio.gather(*calls)
    codes = [answer.status_code if answer.status_code == 202 else answer.json()["code"] for answer in answers]
    expected = [202 if i % 4 else "idempotency.key_reused" if i % 8 else 202 for i in range(40)]
    assert codes == expected
    assert len(await system.queued()) == 1 + 30 + 5
    assert await system.used() == 1 + 30 + 50


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"content-type": "text/plain"}, 415, "request.unsupported_media_type"),
        ({"content-type": ""}, 415, "request.unsupported_media_type"),
        ({"content-type": "application/json; charset=latin-1"}, 415, "request.unsupported_media_type"),
        ({"content-encoding": "gzip"}, 415, "request.unsupported_media_type"),
        ({"idempotency-key": ""}, 400, "idempotency.invalid_key"),
        ({"idempotency-key": "a b"}, 400, "idempotency.invalid_key"),
        ({"idempotency-key": '"a'}, 400, "idempotency.invalid_key"),
        ({"idempotency-key": "x" * 256}, 400, "idempotency.invalid_key"),
    ],
)
async def test_headers_are_judged(system, headers: dict, status: int, code: str) -> None:
    base = {"api-key": "sgw_live_live1_s3cret_with_underscores", "content-type": "application/json"}
    answer = await system.http.post("/v1/messages", headers=base | headers, content=b'{"to":"+447911123456","text":"x"}')
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"http://gateway.test/errors#{code}"


async def test_checks_come_in_the_promised_order(system) -> None:
    url, key = "/v1/messages", {"api-key": "sgw_live_live1_s3cret_with_underscores"}
    json, bad_key = {"content-type": "application/json"}, {"idempotency-key": "a b"}

    async def code(headers: dict, body: bytes) -> str:
        return (await system.http.post(url, headers=headers, content=body)).json()["code"]

    assert await code({"content-type": "text/plain"}, b"x" * 70_000) == "auth.missing_key"
    assert await code(key | {"content-type": "text/plain"}, b"x" * 70_000) == "request.unsupported_media_type"
    assert await code(key | json | bad_key, b"x" * 70_000) == "request.too_large"
    assert await code(key | json | bad_key, b"x") == "request.invalid_json"
    assert await code(key | json | bad_key, b"{}") == "idempotency.invalid_key"
    assert await code(key | json, b"{}") == "request.invalid"


async def test_a_body_is_counted_while_it_comes(system) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(160):
            sent += 1
            yield b" " * 65_536

    headers = {"api-key": "sgw_live_live1_s3cret_with_underscores", "content-type": "application/json"}
    answer = await system.http.post("/v1/messages", headers=headers, content=endless())
    assert (answer.status_code, answer.json()["code"]) == (413, "request.too_large")
    assert sent < 5
    padded = b'{"to":"+447911123456","text":"x"}'.ljust(65_536)
    assert (await system.http.post("/v1/messages", headers=headers, content=padded)).status_code == 202
    assert (await system.http.post("/v1/messages", headers=headers, content=padded + b" ")).status_code == 413


async def test_quota_and_rate_are_told(system) -> None:
    await system.add_client(daily_limit=3, rate=2, burst=5)
    answer = await system.send()
    assert answer.headers["ratelimit-policy"] == '"rate";q=5;w=3, "daily";q=3;w=86400'
    assert answer.headers["ratelimit"].startswith('"daily";r=2;t=')
    refused = await system.send(text="a" * 400)
    assert (refused.status_code, refused.json()["code"], refused.json()["retryable"]) == (429, "quota.exceeded", True)
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert refused.headers["ratelimit"].startswith('"daily";r=2;t=')
    await system.send()
    await system.send()
    assert (await system.send()).json()["code"] == "quota.exceeded"
    assert await system.used() == 3
    await system.add_client(rate=0.5, burst=1)
    await system.redis.delete(keyspace.bucket("c1"))
    assert (await system.send()).headers["ratelimit-policy"] == '"rate";q=1;w=2'
    limited = await system.send()
    assert (limited.status_code, limited.json()["code"], limited.headers["retry-after"]) == (429, "rate.limited", "2")


async def test_every_refusal_of_a_send_tells_them_too(system) -> None:
    await system.add_client(daily_limit=3, rate=2, burst=5)
    await system.send()
    headers = {"api-key": "sgw_live_live1_s3cret_with_underscores", "content-type": "application/json"}
    for path in ("/v1/messages", "/v1/batches"):
        for content, changed in ((b"{", {}), (b"{}", {}), (b"{}", {"content-type": "text/plain"}), (b"x" * 1_100_000, {})):
            refused = await system.http.post(path, headers=headers | changed, content=content)
            assert refused.status_code in {400, 413, 415, 422}
            assert refused.headers["ratelimit-policy"] == '"rate";q=5;w=3, "daily";q=3;w=86400'
            assert refused.headers["ratelimit"].startswith('"daily";r=2;t=')
    await system.add_client(daily_limit=3, suspended=True)
    assert (await system.send()).headers["ratelimit"].startswith('"daily";r=2;t=')
    await system.add_client(rate=2, burst=5)
    assert (await system.send(text="")).headers["ratelimit-policy"] == '"rate";q=5;w=3'
    assert "ratelimit-policy" not in (await system.send(api_key="sgw_live_nobody_x")).headers


async def test_without_limits_there_are_no_headers(system) -> None:
    answer = await system.send()
    assert not {"ratelimit", "ratelimit-policy"} & set(answer.headers)


async def test_no_active_provider_is_said_last(system) -> None:
    accepted = await system.send("k")
    await system.add_providers(ProviderRecord(slug="alpha", active=False))
    assert (await system.send("new")).json()["code"] == "route.none_available"
    assert (await system.send(providers=["alpha"])).json()["code"] == "provider.disabled"
    replayed = await system.send("k")
    assert (replayed.status_code, replayed.content) == (202, accepted.content)
    assert await system.used() == 1


async def test_the_account(system) -> None:
    await system.add_client(daily_limit=10, rate=2.5, burst=7, time_zone="Asia/Tehran")
    await system.send(text="a" * 400)
    body = (await system.get("/v1/account")).json()
    assert body["client"] == {"id": "c1", "name": "One"}
    assert body["key"] == {"id": "live1", "mode": "live", "scopes": ["account:read", "messages:read", "messages:send"], "expires_at": None}
    assert (body["quota"]["daily_limit"], body["quota"]["used"], body["quota"]["remaining"]) == (10, 3, 7)
    assert body["quota"]["resets_at"].endswith(("20:30:00.000Z", "19:30:00.000Z"))
    assert (body["rate_limit"], body["providers"]) == ({"per_second": 2.5, "burst": 7}, ["alpha"])


async def test_context_is_passed_on(system) -> None:
    context = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"api-key": "sgw_live_live1_s3cret_with_underscores", "content-type": "application/json", "x-request-id": "mine-1"}
    for given, passed in ((context, context), ("nonsense", None)):
        answer = await system.http.post(
            "/v1/messages", headers=headers | {"traceparent": given}, content=b'{"to":"+447911123456","text":"x"}'
        )
        assert answer.headers["x-request-id"] == "mine-1"
        (submission,) = await system.queued()
        assert submission.traceparent == passed
