"""`POST /v1/batches` from end to end."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from sms_contract import keyspace, topology
from sms_contract.keyspace import ProviderRecord

KEY = {"API-Key": "sgw_live_live1_s3cret_with_underscores", "Content-Type": "application/json"}


def numbers(count: int, **fields: Any) -> list[dict]:
    return [{"to": f"+4479111{i:05d}", **fields} for i in range(count)]


async def send(system, messages: Any, key: str | None = None, *, headers: dict = KEY, **fields: Any) -> httpx.Response:
    defaults = {"text": "a text that no log may hold"} | fields
    extra = {} if key is None else {"Idempotency-Key": key}
    return await system.http.post("/v1/batches", headers=headers | extra, content=json.dumps({"defaults": defaults, "messages": messages}))


async def depth(system, queue: str = topology.SUBMISSIONS) -> int:
    found: list[int] = []

    async def count(channel) -> None:
        declared = await channel.declare_queue(queue, passive=True)
        found.append(declared.declaration_result.message_count)

    await system.topology(count)
    return found[0]


async def test_a_thousand_are_one_call_and_one_message(system) -> None:
    await system.add_client(daily_limit=5_000, rate=10, burst=10)
    system.cache.sent.clear()
    answer = await send(system, numbers(1_000, reference="r"), "k", **{"from": "ACME"})
    calls = b"".join(system.cache.sent).count(b"EVALSHA")
    assert answer.status_code == 202
    body = answer.json()
    assert list(body) == ["batch_id", "accepted", "rejected", "messages"]
    assert (body["accepted"], body["rejected"]) == (1_000, 0)
    assert [item["index"] for item in body["messages"]] == list(range(1_000))
    assert body["messages"][7] == {
        "index": 7,
        "tracking_id": body["messages"][7]["tracking_id"],
        "status": "accepted",
        "segments": {"count": 1, "encoding": "gsm7", "characters": 27},
    }
    assert answer.headers["ratelimit"].startswith('"daily";r=4000;t=')
    # Admission, and the end of the reservation.
    assert calls == 2
    assert await depth(system) == 1

    ids = [item["tracking_id"] for item in body["messages"]]
    for tracking_id in (ids[0], ids[999]):
        read = await system.get(f"/v1/messages/{tracking_id}")
        assert (read.status_code, read.json()["batch_id"], read.json()["reference"]) == (200, body["batch_id"], "r")
        assert read.json()["from"] == "ACME"
    submissions = await system.queued()
    assert [submission.tracking_id for submission in submissions] == ids
    assert [submission.index for submission in submissions] == list(range(1_000))
    assert {(s.batch_id, s.idempotency, s.sender, s.text) for s in submissions} == {
        (body["batch_id"], keyspace.idempotency_digest("live", "k"), "ACME", "a text that no log may hold")
    }
    assert len({submission.fingerprint for submission in submissions}) == 1
    assert await system.used() == 1_000
    assert await system.redis.zcard(keyspace.pending("c1")) == 0


async def test_each_message_is_judged_alone(system) -> None:
    await system.add_client(senders=["ACME"], countries=["GB"])
    messages = [
        {"to": "+447911123456"},
        {"to": "447911123456"},
        {"to": "+447911123456", "text": ""},
        {"text": "no number"},
        {"to": "+447911123456", "typo": 1},
        "nonsense",
        {"to": "+447911123456", "from": "OTHER"},
        {"to": "+447911123456", "providers": ["nobody"]},
        {"to": "+447911123456", "text": "жук", "encoding": "gsm7"},
        {"to": "+33612345678"},
        {"to": "+447911123456", "metadata": {"a": 1}},
        {"to": "+447911123456", "dry_run": True},
        {"to": "+447911123456", "text": "nul\0"},
        {"to": "+447911123456", "max_segments": 1, "text": "a" * 161},
        {"to": "+447911123456", "text": "own"},
    ]
    answer = await send(system, messages, **{"from": "ACME"})
    body = answer.json()
    assert (answer.status_code, body["accepted"], body["rejected"]) == (202, 2, 13)
    errors = {item["index"]: (item["error"]["code"], item["error"]["pointer"]) for item in body["messages"] if "error" in item}
    assert errors == {
        1: ("recipient.invalid_number", "/messages/1/to"),
        2: ("request.invalid", "/messages/2/text"),
        3: ("request.invalid", "/messages/3/to"),
        4: ("request.invalid", "/messages/4/typo"),
        5: ("request.invalid", "/messages/5"),
        6: ("sender.invalid", "/messages/6/from"),
        7: ("provider.unknown", "/messages/7/providers"),
        8: ("content.not_encodable", "/messages/8/text"),
        9: ("recipient.country_blocked", "/messages/9/to"),
        10: ("request.invalid", "/messages/10/metadata/..."),
        11: ("request.invalid", "/messages/11/dry_run"),
        12: ("request.invalid", "/messages/12/text"),
        13: ("content.too_long", "/messages/13/text"),
    } | {10: errors[10]}
    assert errors[10][1].startswith("/messages/10/metadata")
    assert [(s.index, s.text) for s in await system.queued()] == [(0, "a text that no log may hold"), (14, "own")]
    assert await system.used() == 2
    # What comes from the defaults is pointed to there.
    answer = await send(system, [{"to": "+447911123456"}, {"to": "+447911123456", "from": "ACME"}], **{"from": "OTHER"})
    assert answer.json()["messages"][0]["error"]["pointer"] == "/defaults/from"


async def test_where_no_message_is_valid_the_batch_is_not(system) -> None:
    answer = await send(system, [{"to": "1"}, {"text": "x"}], "k")
    body = answer.json()
    assert (answer.status_code, body["code"]) == (422, "request.invalid")
    assert [(e["pointer"], e["code"]) for e in body["errors"]] == [
        ("/messages/0/to", "recipient.invalid_number"),
        ("/messages/1/to", "request.invalid"),
    ]
    assert (await system.traces(), await system.used()) == (set(), 0)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ([], ""),
        ({}, "/messages"),
        ({"messages": []}, "/messages"),
        ({"messages": {}}, "/messages"),
        ({"messages": [{}] * 1001}, "/messages"),
        ({"messages": [{}], "more": 1}, "/more"),
        ({"messages": [{}], "defaults": []}, "/defaults"),
        ({"messages": [{}], "defaults": {"typo": 1}}, "/defaults/typo"),
        ({"messages": [{}], "defaults": {"text": ""}}, "/defaults/text"),
        ({"messages": [{}], "defaults": {"dry_run": False}}, "/defaults/dry_run"),
        ({"messages": [{}], "defaults": {"callback_url": "x"}}, "/defaults/callback_url"),
    ],
)
async def test_what_is_no_batch(system, body: Any, pointer: str) -> None:
    answer = await system.http.post("/v1/batches", headers=KEY, content=json.dumps(body))
    assert (answer.status_code, answer.json()["code"], answer.json()["errors"][0]["pointer"]) == (422, "request.invalid", pointer)


async def test_the_order_of_the_checks_and_the_sizes(system) -> None:
    async def code(headers: dict, content: Any) -> str:
        return (await system.http.post("/v1/batches", headers=headers, content=content)).json()["code"]

    bad_key = KEY | {"Idempotency-Key": "a b"}
    assert await code({"Content-Type": "application/json"}, b"x") == "auth.missing_key"
    assert await code({"API-Key": KEY["API-Key"]}, b"x") == "request.unsupported_media_type"
    assert await code(bad_key, b"x" * (1024 * 1024 + 1)) == "request.too_large"
    assert await code(bad_key, b"x") == "request.invalid_json"
    assert await code(bad_key, b"{}") == "idempotency.invalid_key"

    async def endless():
        while True:
            yield b" " * 65_536

    assert await code(KEY, endless()) == "request.too_large"
    # Small on the wire, large when its defaults are written out.
    wide = {"text": "ж" * 600, "metadata": {"k": "m" * 1000}, "callback_url": "https://example.com/" + "u" * 2000, "reference": "€" * 128}
    assert (await send(system, numbers(1_000), **wide, encoding="ucs2", max_segments=10)).status_code == 202
    wide |= {"text": "\U00010330" * 330, "metadata": {"k": "m" * 1020}, "providers": [f"{i:03d}{'p' * 100}" for i in range(50)]}
    await system.add_providers(*(ProviderRecord(slug=slug, active=True) for slug in wide["providers"]))
    assert (await send(system, numbers(1_000), **wide)).json()["code"] == "request.too_large"


async def test_the_lane_is_that_of_passwords_only_where_all_are(system) -> None:
    await send(system, numbers(3), traffic_type="otp")
    assert [s.traffic_type for s in await system.queued(topology.SUBMISSIONS_OTP)] == ["otp"] * 3
    await send(system, [*numbers(2), {"to": "+447911123456", "traffic_type": "promotional"}], traffic_type="otp")
    assert await system.queued(topology.SUBMISSIONS_OTP) == []
    assert [s.traffic_type for s in await system.queued()] == ["otp", "otp", "promotional"]


async def test_the_quota_is_all_or_nothing(system) -> None:
    await system.add_client(daily_limit=10)
    answer = await send(system, [*numbers(10), {"to": "+447911123456", "text": "a" * 161}, {"to": "1"}], "k")
    assert (answer.status_code, answer.json()["code"]) == (429, "quota.exceeded")
    assert answer.headers["ratelimit"].startswith('"daily";r=10;')
    assert (await system.traces(), await system.used(), await system.queued()) == (set(), 0, [])
    answer = await send(system, [*numbers(8), {"to": "+447911123456", "text": "a" * 161}, {"to": "1"}], "k")
    assert (answer.status_code, answer.json()["accepted"]) == (202, 9)
    assert await system.used() == 10


async def test_a_batch_may_leave_the_bucket_in_debt(system) -> None:
    await system.add_client(rate=10, burst=5)
    assert (await send(system, numbers(25))).status_code == 202
    limited = await send(system, numbers(1))
    assert (limited.status_code, limited.json()["code"]) == (429, "rate.limited")
    assert 2 <= int(limited.headers["retry-after"]) <= 3
    await system.redis.delete(keyspace.bucket("c1"))
    await system.send()
    assert (await send(system, numbers(25))).json()["code"] == "rate.limited"  # min(items, burst) are not there
    assert (await send(system, numbers(4))).status_code == 202


async def test_a_test_key_is_never_charged(system) -> None:
    answer = await send(system, numbers(3), headers=KEY | {"API-Key": "sgw_test_test1_s3cret_with_underscores"})
    assert answer.status_code == 202
    assert {(s.mode, s.charged_day) for s in await system.queued()} == {("test", None)}
    assert await system.used() == 0


async def test_no_active_provider(system) -> None:
    await system.add_providers(ProviderRecord(slug="alpha", active=False), ProviderRecord(slug="beta", active=False))
    assert (await send(system, numbers(2))).json()["code"] == "route.none_available"
    await system.add_providers(ProviderRecord(slug="test", active=True, test=True), ProviderRecord(slug="beta", active=False))
    answer = await send(system, [{"to": "+447911123456"}, {"to": "+447911123456", "providers": ["beta"]}])
    assert (answer.status_code, answer.json()["code"]) == (503, "route.none_available")
    assert (await system.traces(), await system.used()) == (set(), 0)


async def test_a_batch_can_be_taken_back(system) -> None:
    body = (await send(system, numbers(3))).json()
    answer = await system.http.post(f"/v1/batches/{body['batch_id']}/cancel", headers=KEY)
    assert (answer.status_code, answer.json()) == (202, {"batch_id": body["batch_id"], "cancel_requested": True})
    assert await depth(system, topology.CONTROL) == 1
    # One of it alone, too; and the batch's id is not a message's.
    tracking_id = body["messages"][1]["tracking_id"]
    answer = await system.http.post(f"/v1/messages/{tracking_id}/cancel", headers=KEY)
    assert (answer.status_code, answer.json()["batch_id"], answer.json()["cancel_requested"]) == (202, body["batch_id"], True)
    assert (await system.http.post(f"/v1/messages/{body['batch_id']}/cancel", headers=KEY)).status_code == 404
    assert (await system.get(f"/v1/messages/{body['batch_id']}")).status_code == 404
    await system.add_client("c2")
    other = KEY | {"API-Key": await system.add_key("live2", client="c2")}
    assert (await system.http.post(f"/v1/batches/{body['batch_id']}/cancel", headers=other)).status_code == 404


async def test_batches_and_messages_at_once(system) -> None:
    batches, singles = await asyncio.gather(
        asyncio.gather(*(send(system, numbers(100, reference=f"b{i}"), f"b{i}") for i in range(10))),
        asyncio.gather(*(system.send(f"s{i}") for i in range(50))),
    )
    assert {answer.status_code for answer in (*batches, *singles)} == {202}
    assert len({submission.tracking_id for submission in await system.queued()}) == 1_050
    assert await system.used() == 1_050
