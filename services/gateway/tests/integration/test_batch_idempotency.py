"""One key for a whole batch, in each interleaving."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import httpx

from sms_contract import keyspace
from sms_gateway.admission.reserve import read_record

KEY = {"API-Key": "sgw_live_live1_s3cret_with_underscores", "Content-Type": "application/json"}
DIGEST = keyspace.idempotency_digest("live", "k")


async def send(system, count: int = 3, key: str | None = "k", **fields: Any) -> httpx.Response:
    messages = [{"to": f"+4479111{i:05d}", "reference": f"r{i}"} for i in range(count)]
    content = json.dumps({"defaults": {"text": "t"} | fields, "messages": [*messages, {"to": "1"}]})
    headers = KEY if key is None else KEY | {"Idempotency-Key": key}
    return await system.http.post("/v1/batches", headers=headers, content=content)


async def record(system, tracking_id: str) -> bytes:
    return await system.redis.get(keyspace.reservation("c1", tracking_id))


async def pending(system, batch_id: str, deadline: int) -> None:
    """Turn the reservation of a batch back into what it was before its confirm."""
    fields = (await record(system, batch_id)).split(b"|", 8)
    fields[0], fields[2] = b"p", b"%d" % deadline
    await system.redis.set(keyspace.reservation("c1", batch_id), b"|".join(fields), keepttl=True)
    await system.redis.zadd(keyspace.pending("c1"), {batch_id: 1})


def ids(answer: httpx.Response) -> list[str]:
    return [item["tracking_id"] for item in answer.json()["messages"] if "tracking_id" in item]


async def test_a_repeat_is_the_first_answer_to_the_byte(system) -> None:
    await system.add_client(daily_limit=100, rate=0.001, burst=3)
    first = await send(system)
    for key in ("k", '"k"'):
        again = await send(system, key=key)
        assert (again.status_code, again.content, again.headers["idempotent-replayed"]) == (202, first.content, "true")
        assert again.headers["ratelimit"].startswith('"daily";r=97;')
    assert "idempotent-replayed" not in first.headers
    assert len(await system.queued()) == 3
    assert await system.used() == 3
    assert (await record(system, first.json()["batch_id"])).startswith(b"d|")


async def test_the_same_key_for_another_request_is_refused(system) -> None:
    await send(system)
    for answer in (await send(system, 4), await send(system, text="u"), await system.send("k")):
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency.key_reused")
    assert await system.used() == 3


async def test_two_hundred_at_once_make_one_batch(system) -> None:
    answers = await asyncio.gather(*(send(system) for _ in range(200)))
    assert {a.status_code for a in answers} <= {202, 409}
    assert sum(a.status_code == 202 and "idempotent-replayed" not in a.headers for a in answers) == 1
    assert len({a.content for a in answers if a.status_code == 202}) == 1
    assert {a.json()["code"] for a in answers if a.status_code == 409} <= {"idempotency.in_progress"}
    assert len(await system.queued()) == 3
    assert await system.used() == 3


async def test_what_never_was_confirmed_is_published_again_under_the_same_ids_and_charged_once(system) -> None:
    first = await send(system)
    before = await system.queued()
    batch_id = first.json()["batch_id"]
    await pending(system, batch_id, system.gateway.clock.now_ms() - 100)
    for tracking_id in ids(first):
        assert (await system.get(f"/v1/messages/{tracking_id}")).json()["code"] == "cache.unavailable"  # nobody can tell
    again = await send(system)
    assert (again.status_code, again.content) == (202, first.content)
    assert "idempotent-replayed" not in again.headers
    assert await system.queued() == before
    assert await system.used() == 3
    value = await record(system, batch_id)
    assert value.startswith(b"d|")
    for tracking_id in ids(first):
        assert (await system.get(f"/v1/messages/{tracking_id}")).status_code == 200
    assert await system.redis.zcard(keyspace.pending("c1")) == 0


async def test_while_the_first_is_running(system) -> None:
    first = await send(system)
    await pending(system, first.json()["batch_id"], system.gateway.clock.now_ms() + 2_500)
    answer = await send(system)
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (409, "idempotency.in_progress", "3")
    # Its messages can be read all the same.
    assert (await system.get(f"/v1/messages/{ids(first)[0]}")).status_code == 200


async def test_without_a_confirm_nothing_is_given_back_and_the_repeat_finds_it(system) -> None:
    system.broker.mute()
    answer = await send(system)
    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (503, "broker.unconfirmed", True)
    batch_id = answer.json()["tracking_id"]
    assert read_record(await record(system, batch_id)).deadline_ms == 0
    assert await system.used() == 3
    system.broker.resume()
    await system.is_ready()
    again = await send(system)
    assert (again.status_code, again.json()["batch_id"]) == (202, batch_id)
    assert await system.used() == 3
    assert {submission.tracking_id for submission in await system.queued()} == set(ids(again))


async def test_a_batch_that_was_not_queued_leaves_no_trace(system) -> None:
    await system.broker.cut()
    await system.until(lambda: system.gateway.broker.down)
    answer = await send(system)
    assert (answer.status_code, answer.json()["code"]) == (503, "broker.unavailable")

    async def forgotten() -> bool:
        return await system.traces() == set() and await system.used() == 0

    await system.until(forgotten)
    await system.broker.open()
    await system.is_ready()
    assert (await send(system)).status_code == 202
    assert await system.used() == 3


async def test_a_refusal_that_did_not_hold_the_first_time_does_not_spoil_the_repeat(system) -> None:
    soon = datetime.fromtimestamp(system.gateway.clock.now_ms() / 1000 + 0.5, UTC).isoformat()
    first = await send(system, send_at=soon)
    assert (first.status_code, first.json()["accepted"]) == (202, 3)
    await system.until(lambda: datetime.fromtimestamp(system.gateway.clock.now_ms() / 1000, UTC).isoformat() > soon)
    assert (await send(system, send_at=soon)).content == first.content
    await system.queued()
    await pending(system, first.json()["batch_id"], 0)
    assert (await send(system, send_at=soon)).content == first.content
    assert [submission.tracking_id for submission in await system.queued()] == ids(first)
    fresh = await send(system, key="other", send_at=soon)
    assert (fresh.status_code, fresh.json()["code"]) == (422, "request.invalid")
    assert await system.used() == 3


async def test_once_projected_the_batch_is_still_known_and_its_messages_records_are_gone(system) -> None:
    """What Server B's projection does to the record of a message without a key of its own."""
    first = await send(system)
    await system.redis.delete(keyspace.reservation("c1", ids(first)[0]))
    assert (await system.get(f"/v1/messages/{ids(first)[0]}")).status_code == 404
    assert (await system.get(f"/v1/messages/{ids(first)[1]}")).status_code == 200
    assert (await system.http.post(f"/v1/batches/{first.json()['batch_id']}/cancel", headers=KEY)).status_code == 202
    # With the reservation of the batch goes what its messages are believed by.
    await system.redis.delete(keyspace.reservation("c1", first.json()["batch_id"]))
    assert (await system.get(f"/v1/messages/{ids(first)[1]}")).status_code == 404


async def test_a_client_that_goes_away_drops_only_its_own_waiting(system) -> None:
    system.broker.mute()
    impatient = asyncio.ensure_future(send(system))
    await system.until(lambda: system.redis.zcard(keyspace.pending("c1")))
    impatient.cancel()
    await asyncio.wait([impatient])
    system.broker.resume()
    await system.gateway.batches.drain()
    assert (await send(system)).headers["idempotent-replayed"] == "true"
    assert len(await system.queued()) == 3
