"""Redis gone, hanging, or with all its data lost: 503, never 401 and never 404; and it heals."""

import asyncio
import time

import pytest

from sms_contract import keyspace
from sms_contract.ids import uuid7


async def unavailable(answer) -> None:
    assert (answer.status_code, answer.json()["code"]) == (503, "cache.unavailable")
    assert int(answer.headers["retry-after"]) >= 1


async def everything_is_unavailable(system, *, api_key: str = "sgw_live_live1_s3cret_with_underscores") -> None:
    await unavailable(await system.send("k", api_key=api_key))
    await unavailable(await system.get("/v1/account", api_key=api_key))
    await unavailable(await system.get(f"/v1/messages/{uuid7(0)}", api_key=api_key))


async def test_redis_flushed_is_noticed_at_once_and_healed_by_being_filled(system) -> None:
    tracking_id = (await system.send("k")).json()["tracking_id"]
    await system.redis.flushdb()
    await unavailable(await system.send("k"))
    await unavailable(await system.get(f"/v1/messages/{tracking_id}"))
    await unavailable(await system.get("/v1/account"))
    system.forget()
    await everything_is_unavailable(system)
    await everything_is_unavailable(system, api_key="sgw_live_nobody_xyz")
    await system.is_ready(ready=False)
    await system.fill()
    await system.is_ready()
    assert (await system.send("k")).status_code == 202
    assert (await system.get(f"/v1/messages/{tracking_id}")).status_code == 404


async def test_keys_without_their_client_admit_nothing(system) -> None:
    assert (await system.send()).status_code == 202
    await system.redis.delete(keyspace.client("c1"))
    await unavailable(await system.send())
    assert await system.used() == 1


async def test_a_marker_of_another_redis_is_not_believed(system) -> None:
    await system.mark(admit="f" * 40, statuses="f" * 40)
    await system.is_ready(ready=False)
    await everything_is_unavailable(system)
    await system.mark()
    await system.is_ready()


async def test_until_statuses_are_projected_not_found_is_not_said(system) -> None:
    accepted = (await system.send()).json()["tracking_id"]
    await system.redis.hdel(keyspace.MARKER, "statuses")
    await unavailable(await system.get(f"/v1/messages/{uuid7(0)}"))
    assert (await system.get(f"/v1/messages/{accepted}")).status_code == 200
    assert (await system.send()).status_code == 202
    await system.mark()
    assert (await system.get(f"/v1/messages/{uuid7(0)}")).status_code == 404


async def test_redis_gone_is_503_and_heals(system) -> None:
    await system.cache.cut()
    system.forget()
    await everything_is_unavailable(system)
    await system.is_ready(ready=False)
    await system.cache.open()
    await system.is_ready()
    assert (await system.send()).status_code == 202


async def test_redis_hanging_is_503_in_time_and_charges_nobody_twice(system) -> None:
    await system.send("warm")
    system.cache.hang()
    started = time.monotonic()
    answers = await asyncio.gather(*(system.send(f"k{i}") for i in range(20)))
    assert time.monotonic() - started < 3.5
    assert {answer.status_code for answer in answers} == {503}
    system.cache.resume()
    await system.is_ready()
    # What the stuck script reserved after all is undone behind the answers.
    await system.until(lambda: settled(system))
    answers = [await system.send(f"k{i}") for i in range(20)]
    assert {answer.status_code for answer in answers} == {202}
    assert await system.used() == 21


async def settled(system) -> bool:
    return await system.used() == 1


async def test_an_answer_that_was_lost_is_not_asked_for_twice(system) -> None:
    await system.send("warm")
    system.cache.mute()
    await unavailable(await system.send("k"))
    assert await system.used() in {1, 2}
    system.cache.resume()
    await system.is_ready()
    await system.until(lambda: settled(system))
    assert (await system.send("k")).status_code == 202
    assert await system.used() == 2


async def test_a_202_goes_out_even_if_its_end_cannot_be_written_and_it_is_written_later(system) -> None:
    system.broker.mute()
    sending = asyncio.ensure_future(system.send("k"))
    await system.until(lambda: system.gateway.publisher.waiting("sms.submissions") == 1)
    system.cache.hang()
    system.broker.resume()
    answer = await sending
    assert answer.status_code == 202
    system.cache.resume()
    reservation = keyspace.reservation("c1", answer.json()["tracking_id"])

    async def done() -> bool:
        return (await system.redis.get(reservation)).startswith(b"d|")

    await system.until(done)


async def test_scripts_that_redis_has_forgotten_are_sent_again(system) -> None:
    await system.redis.script_flush()
    assert (await system.send("k")).status_code == 202
    assert (await system.send("k")).headers["idempotent-replayed"] == "true"


async def test_a_status_goes_before_the_reservation(system) -> None:
    tracking_id = (await system.send()).json()["tracking_id"]
    await system.redis.set(keyspace.status("c1", tracking_id), b'3|0|{"status":"sent|x"}')
    assert (await system.get(f"/v1/messages/{tracking_id}")).json() == {"status": "sent|x"}


async def test_a_pending_reservation_reads_as_accepted_until_its_deadline_and_then_as_one_that_nobody_can_tell_of(system) -> None:
    """Its 202 may be out, and Redis full: what Redis does not take is not unknown. Where the client was told that nobody knows, it is."""
    system.broker.mute()
    answer = await system.send()
    tracking_id = answer.json()["tracking_id"]
    reservation = keyspace.reservation("c1", tracking_id)
    fields = (await system.redis.get(reservation)).split(b"|", 8)
    for deadline, status in ((system.gateway.clock.now_ms() + 10_000, 200), (system.gateway.clock.now_ms() - 100, 503), (0, 404)):
        fields[2] = b"%d" % deadline
        await system.redis.set(reservation, b"|".join(fields))
        assert (await system.get(f"/v1/messages/{tracking_id}")).status_code == status


@pytest.mark.parametrize("path", ["nonsense", "0192f0c1-8000-7abc-8def-0123456789a", "0192F0C1-8000-7ABC-8DEF-0123456789AB"])
async def test_a_malformed_id_is_not_found(system, path: str) -> None:
    answer = await system.get(f"/v1/messages/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "message.not_found")


async def test_another_clients_message_is_not_found(system) -> None:
    tracking_id = (await system.send()).json()["tracking_id"]
    await system.add_client("c2")
    other = await system.add_key("live2", client="c2")
    mine, theirs = await system.get(f"/v1/messages/{uuid7(0)}"), await system.get(f"/v1/messages/{tracking_id}", api_key=other)
    assert mine.json() == theirs.json()
    assert theirs.status_code == 404
