"""Each interleaving of one idempotency key."""

import asyncio
from datetime import UTC, datetime

from sms_contract import keyspace
from sms_gateway.admission.reserve import read_record

DIGEST = keyspace.idempotency_digest("live", "k")


async def record(system, tracking_id: str) -> bytes:
    return await system.redis.get(keyspace.reservation("c1", tracking_id))


async def pending(system, *, deadline: int | None = None, taken_over: bool = False) -> str:
    """Turn the done reservation of key `k` back into what it was before its confirm, with another deadline."""
    tracking_id = (await system.redis.get(keyspace.idempotency("c1", DIGEST))).decode()
    fields = (await record(system, tracking_id)).split(b"|", 8)
    fields[0] = b"p"
    if deadline is not None:
        fields[2] = b"%d" % deadline
    fields[7] = b"1" if taken_over else b"0"
    await system.redis.set(keyspace.reservation("c1", tracking_id), b"|".join(fields), keepttl=True)
    await system.redis.zadd(keyspace.pending("c1"), {tracking_id: 1})
    return tracking_id


async def test_a_repeat_gets_the_first_answer_again_and_costs_nothing(system) -> None:
    await system.add_client(daily_limit=100, rate=0.001, burst=1)
    await system.redis.delete(keyspace.bucket("c1"))
    first = await system.send("k", reference="r")
    for key in ("k", '"k"'):
        again = await system.send(key, reference="r")
        assert (again.status_code, again.content, again.headers["location"]) == (202, first.content, first.headers["location"])
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers["ratelimit"].startswith('"daily";r=99;')
    assert len(await system.queued()) == 1
    assert await system.used() == 1


async def test_what_is_done_is_no_longer_pending(system) -> None:
    first = (await system.send("k")).json()
    value = await record(system, first["tracking_id"])
    assert value.startswith(b"d|")
    assert read_record(value).answer.startswith(b'{"tracking_id":')
    assert await system.redis.zcard(keyspace.pending("c1")) == 0
    assert 0 < await system.redis.ttl(keyspace.idempotency("c1", DIGEST)) <= keyspace.IDEMPOTENCY_TTL
    assert keyspace.IDEMPOTENCY_TTL < await system.redis.ttl(keyspace.reservation("c1", first["tracking_id"])) <= keyspace.FINAL_TTL


async def test_the_same_key_for_another_request_is_refused(system) -> None:
    await system.send("k")
    answer = await system.send("k", text="another")
    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (422, "idempotency.key_reused", False)
    assert await system.used() == 1


async def test_keys_are_scoped_by_mode_and_client(system) -> None:
    await system.add_client("c2")
    other = await system.add_key("live2", client="c2")
    ids = {
        (await system.send("k")).json()["tracking_id"],
        (await system.send("k", api_key="sgw_test_test1_s3cret_with_underscores")).json()["tracking_id"],
        (await system.send("k", api_key=other)).json()["tracking_id"],
    }
    assert len(ids) == 3


async def test_while_the_first_is_running_the_second_is_told_so(system) -> None:
    await system.send("k")
    await pending(system, deadline=system.gateway.clock.now_ms() + 2_500)
    answer = await system.send("k")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (409, "idempotency.in_progress", "3")
    assert answer.json()["retryable"] is True


async def test_two_hundred_at_once_make_one_message(system) -> None:
    answers = await asyncio.gather(*(system.send("k") for _ in range(200)))
    fresh = [a for a in answers if a.status_code == 202 and "idempotent-replayed" not in a.headers]
    assert len(fresh) == 1
    assert {a.status_code for a in answers} <= {202, 409}
    assert {a.json()["tracking_id"] for a in answers if a.status_code == 202} == {fresh[0].json()["tracking_id"]}
    assert len(await system.queued()) == 1
    assert await system.used() == 1


async def test_what_never_was_confirmed_is_taken_over_published_again_and_charged_once(system) -> None:
    first = await system.send("k", traffic_type="otp", metadata={"a": "b"})
    await system.queued("sms.submissions.otp")
    tracking_id = await pending(system, deadline=system.gateway.clock.now_ms() - 100)
    again = await system.send("k", traffic_type="otp", metadata={"a": "b"})
    assert (again.status_code, again.content) == (202, first.content)
    assert "idempotent-replayed" not in again.headers
    (submission,) = await system.queued("sms.submissions.otp")
    assert (submission.tracking_id, submission.metadata) == (tracking_id, {"a": "b"})
    assert submission.expires_at - submission.reserved_at == 300_000
    assert await system.used() == 1
    assert (await record(system, tracking_id)).startswith(b"d|")
    assert await system.redis.zcard(keyspace.pending("c1")) == 0


async def test_of_many_who_would_take_over_one_does(system) -> None:
    await system.send("k")
    await system.queued()
    await pending(system, deadline=0)
    answers = await asyncio.gather(*(system.send("k") for _ in range(50)))
    assert {a.status_code for a in answers} <= {202, 409}
    assert len(await system.queued()) == 1
    assert await system.used() == 1


async def test_another_request_never_takes_over(system) -> None:
    await system.send("k")
    await pending(system, deadline=0)
    assert (await system.send("k", text="another")).json()["code"] == "idempotency.key_reused"


async def test_what_was_taken_over_is_not_released_when_the_broker_refuses_it(system) -> None:
    await system.send("k")
    tracking_id = await pending(system, deadline=0)
    await system.broker.cut()
    await system.until(lambda: system.gateway.broker.down)
    answer = await system.send("k")
    assert answer.json()["code"] == "broker.unavailable"
    value = await record(system, tracking_id)
    assert value.startswith(b"p|")
    assert read_record(value).deadline_ms == 0  # free to be taken over again, at once
    assert await system.used() == 1
    await system.broker.open()
    await system.is_ready()
    assert (await system.send("k")).json()["tracking_id"] == tracking_id
    assert await system.used() == 1


async def test_a_refusal_that_did_not_hold_the_first_time_does_not_spoil_the_repeat(system) -> None:
    soon = datetime.fromtimestamp(system.gateway.clock.now_ms() / 1000 + 0.5, UTC).isoformat()
    first = await system.send("k", send_at=soon)
    assert first.status_code == 202
    await system.until(lambda: datetime.fromtimestamp(system.gateway.clock.now_ms() / 1000, UTC).isoformat() > soon)
    assert (await system.send("k", send_at=soon)).content == first.content
    fresh = await system.send("other", send_at=soon)
    assert (fresh.status_code, fresh.json()["code"]) == (422, "request.invalid")
    assert "i:" + keyspace.idempotency_digest("live", "other") not in await system.traces()


async def test_a_client_that_goes_away_drops_only_its_own_waiting(system) -> None:
    system.broker.mute()
    async with system.sending("k") as leave:
        await system.until(lambda: system.gateway.submissions.in_flight == 1)
        await leave()
    assert system.gateway.submissions.in_flight == 1
    system.broker.resume()
    await system.until(lambda: system.gateway.submissions.in_flight == 0)
    assert (await system.send("k")).headers["idempotent-replayed"] == "true"
    assert len(await system.queued()) == 1


async def test_two_hundred_at_once_over_http_make_one_message(system) -> None:
    async with system.served() as (address, _):
        conversations = [await asyncio.open_connection(*address) for _ in range(200)]
        for _, writer in conversations:
            writer.write(system.raw("k", Connection="close"))
        answers = await asyncio.gather(*(reader.read() for reader, _ in conversations))
        for _, writer in conversations:
            writer.close()
    statuses = [answer[9:12] for answer in answers]
    fresh = [a for a in answers if a[9:12] == b"202" and b"idempotent-replayed: true" not in a]
    assert len(fresh) == 1
    assert set(statuses) <= {b"202", b"409"}
    body = fresh[0].partition(b"\r\n\r\n")[2]
    assert {a.partition(b"\r\n\r\n")[2] for a in answers if a[9:12] == b"202"} == {body}
    assert len(await system.queued()) == 1
    assert await system.used() == 1


async def test_a_client_that_goes_away_halfway_leaves_no_trace(system) -> None:
    whole = system.raw("k")
    head_ends = whole.index(b"\r\n\r\n") + 4
    async with system.served() as (address, state):
        for sent in (whole[: head_ends // 2], whole[:head_ends], whole[: head_ends + 10], whole[:-1]):
            _, writer = await asyncio.open_connection(*address)
            writer.write(sent)
            await system.until(lambda: state.connections)
            writer.close()
            await system.until(lambda: not state.connections and not state.tasks)
            assert await system.traces() == set()
        assert await system.used() == 0
        assert await system.queued() == []
        assert "idempotent-replayed" not in (await system.send("k")).headers


async def test_a_client_that_goes_away_before_the_answer_finds_its_message_again(system) -> None:
    async with system.served() as (address, state):
        _, writer = await asyncio.open_connection(*address)
        writer.write(system.raw("k"))
        await system.until(lambda: system.gateway.submissions.in_flight or state.total_requests)
        writer.close()
        await system.until(lambda: not state.connections and not state.tasks)
    (submission,) = await system.queued()
    again = await system.send("k")
    assert (again.json()["tracking_id"], again.headers["idempotent-replayed"]) == (submission.tracking_id, "true")
    assert await system.used() == 1
