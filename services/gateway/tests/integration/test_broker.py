"""What happens to a submission when RabbitMQ is gone, hangs, blocks, refuses or has no queue; and how it heals."""

import asyncio
import time

import aio_pika

from sms_contract import keyspace, topology


async def refused(system, key: str | None = None) -> tuple[dict, float]:
    started = time.monotonic()
    answer = await system.send(key)
    elapsed = time.monotonic() - started
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert elapsed < 3.5
    return answer.json(), elapsed


async def test_a_broker_that_is_gone_is_503_without_a_trace_and_heals_by_itself(system) -> None:
    await system.broker.cut()
    body, _ = await refused(system, "k")
    assert (body["code"], body["retryable"]) == ("broker.unavailable", True)
    await system.until(lambda: system.gateway.broker.down)
    _, elapsed = await refused(system, "k")
    assert elapsed < 0.5
    ready = await system.http.get("/readyz")
    assert (ready.status_code, ready.text.splitlines()[0]) == (503, "redis: ok")
    assert ready.text.splitlines()[1].startswith("rabbitmq: unreachable")
    assert (await system.traces(), await system.used()) == (set(), 0)
    await system.broker.open()
    await system.is_ready()
    assert (await system.send("k")).status_code == 202


async def test_a_replay_needs_no_broker(system) -> None:
    first = await system.send("k")
    await system.broker.cut()
    await system.until(lambda: system.gateway.broker.down)
    assert (await system.send("k")).content == first.content


async def test_a_broken_connection_is_made_again_before_the_deadline(system) -> None:
    for writer in list(system.broker._writers):
        writer.transport.abort()
    await system.until(lambda: not system.gateway.broker.up)
    assert (await system.send()).status_code == 202


async def test_a_confirm_that_does_not_come_is_unconfirmed_and_safe_to_repeat(system) -> None:
    system.broker.mute()
    body, elapsed = await refused(system, "k")
    assert (body["code"], body["retryable"]) == ("broker.unconfirmed", True)
    assert elapsed > 2.5
    assert await system.used() == 1
    assert f"r:{body['tracking_id']}" in await system.traces()
    system.broker.resume()
    await system.is_ready()
    answer = await system.send("k")
    assert (answer.status_code, answer.json()["tracking_id"]) == (202, body["tracking_id"])
    assert {submission.tracking_id for submission in await system.queued()} == {body["tracking_id"]}
    assert await system.used() == 1


async def test_without_a_key_an_unconfirmed_message_is_not_to_be_repeated(system) -> None:
    system.broker.mute()
    body, _ = await refused(system)
    assert (body["code"], body["retryable"]) == ("broker.unconfirmed", False)
    assert body["tracking_id"]


async def test_a_connection_lost_before_the_confirm_leaves_the_outcome_open(system) -> None:
    system.broker.mute()
    sending = asyncio.ensure_future(system.send("k"))
    await system.until(lambda: system.gateway.publisher.waiting(topology.SUBMISSIONS) == 1)
    await asyncio.sleep(0.1)
    for writer in list(system.broker._writers):
        writer.transport.abort()
    answer = await sending
    assert (answer.status_code, answer.json()["code"]) == (503, "broker.unconfirmed")


async def test_three_time_outs_in_a_row_open_the_circuit_until_a_probe_comes_back(system) -> None:
    system.broker.hang()
    answers = await asyncio.gather(*(_later(system, i * 0.15, f"k{i}") for i in range(4)))
    assert {answer.status_code for answer in answers} == {503}
    await system.until(lambda: system.gateway.broker.down)
    body, elapsed = await refused(system, "k9")
    assert (body["code"], elapsed < 0.5) == ("broker.unavailable", True)
    await system.is_ready(ready=False)
    system.broker.resume()
    await system.is_ready()
    assert (await system.send("k9")).status_code == 202


async def test_a_message_without_a_queue_is_refused_and_released(system) -> None:
    await system.topology(lambda channel: channel.queue_delete(topology.SUBMISSIONS))
    body, _ = await refused(system, "k")
    assert body["code"] == "broker.unavailable"
    assert (await system.traces(), await system.used()) == (set(), 0)
    for writer in list(system.broker._writers):
        writer.transport.abort()
    await system.until(lambda: not system.gateway.broker.up)
    await system.is_ready()  # declared again
    assert (await system.send("k")).status_code == 202


async def test_a_full_queue_is_refused_and_released_and_the_difference_is_told(system) -> None:
    async def declare(channel: aio_pika.abc.AbstractChannel) -> None:
        await channel.queue_delete(topology.SUBMISSIONS)
        full = {"x-queue-type": "quorum", "x-overflow": "reject-publish", "x-max-length": 1}
        queue = await channel.declare_queue(topology.SUBMISSIONS, durable=True, arguments=full)
        await queue.bind(topology.EXCHANGE, topology.SUBMISSIONS)

    await system.topology(declare)
    try:
        codes = []
        for i in range(20):  # a quorum queue notices its length a little late
            answer = await system.send(f"k{i}")
            codes.append(answer.status_code)
            if answer.status_code == 503:
                break
        assert answer.json()["code"] == "broker.unavailable"
        assert await system.used() == codes.count(202)
        for writer in list(system.broker._writers):
            writer.transport.abort()

        async def is_told() -> bool:
            return "not declared: queue sms.submissions: " in (await system.http.get("/readyz")).text

        await system.until(is_told)
    finally:
        await system.topology(lambda channel: channel.queue_delete(topology.SUBMISSIONS))


async def test_a_queue_that_refuses_everything_is_tried_on_another_connection(system) -> None:
    async def refuse(channel: aio_pika.abc.AbstractChannel) -> None:
        await channel.queue_delete(topology.SUBMISSIONS)
        # A classic queue of no length refuses the first already.
        nothing = {"x-overflow": "reject-publish", "x-max-length": 0}
        queue = await channel.declare_queue(topology.SUBMISSIONS, durable=True, arguments=nothing)
        await queue.bind(topology.EXCHANGE, topology.SUBMISSIONS)

    await system.topology(refuse)
    first = system.gateway.broker._tap
    try:
        for i in range(3):
            body, _ = await refused(system, f"k{i}")
            assert body["code"] == "broker.unavailable"
        # The next one waits for the new connection, and is refused on that one.
        body, _ = await refused(system, "k3")
        assert body["code"] == "broker.unavailable"
        second = system.gateway.broker._tap
        assert second not in {first, None}
        await refused(system, "k4")
        assert system.gateway.broker._tap is second
        assert (await system.traces(), await system.used()) == (set(), 0)
    finally:
        await system.topology(lambda channel: channel.queue_delete(topology.SUBMISSIONS))
        for writer in list(system.broker._writers):
            writer.transport.abort()
        await system.until(lambda: not system.gateway.broker.up)
        await system.is_ready()
    assert (await system.send("k0")).status_code == 202


async def test_what_is_under_way_is_heard_before_the_connection_is_changed(system) -> None:
    system.broker.mute()
    sending = asyncio.ensure_future(system.send("k"))
    await system.until(lambda: system.gateway.publisher.waiting(topology.SUBMISSIONS) == 1)
    await system.until(lambda: bool(system.gateway.broker._tap._publishes))
    old = system.gateway.broker._tap
    system.gateway.broker._change(topology.CONTROL)
    system.broker.resume()
    assert (await sending).status_code == 202
    await system.is_ready()
    assert system.gateway.broker._tap is not old


async def test_it_starts_not_ready_when_all_else_is_down_and_heals(start) -> None:
    async with start() as system:
        await system.cache.cut()
        await system.broker.cut()
        await system.until(lambda: system.gateway.broker.down)
        ready = await system.http.get("/readyz")
        assert ready.status_code == 503
        assert [line.split(":")[0] for line in ready.text.splitlines()] == ["redis", "rabbitmq"]
        assert (await system.http.get("/healthz")).status_code == 200
        assert (await system.send()).json()["code"] == "cache.unavailable"
        await system.cache.open()
        await system.broker.open()
        await system.fill()
        await system.is_ready()
        assert (await system.send()).status_code == 202


async def test_more_than_the_cap_is_refused_at_once(start) -> None:
    async with start(gateway_in_flight=2) as system:
        await system.fill()
        await system.is_ready()
        system.broker.mute()
        waiting = [asyncio.ensure_future(system.send()) for _ in range(2)]
        await system.until(lambda: system.gateway.submissions.in_flight == 2)
        body, elapsed = await refused(system, "k")
        assert (body["code"], elapsed < 0.5) == ("overloaded", True)
        assert "i:" + keyspace.idempotency_digest("live", "k") not in await system.traces()
        system.broker.resume()
        await asyncio.gather(*waiting)


async def _later(system, seconds: float, key: str):
    await asyncio.sleep(seconds)
    return await system.send(key)
