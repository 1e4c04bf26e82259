"""Taking messages back, and previews, which cost nothing."""

import aio_pika
import msgspec

from sms_contract import keyspace, message, topology
from sms_contract.envelope import CANCEL_V1, Cancel, decode_cancel, decode_envelope
from sms_contract.message import Message
from sms_contract.status import Status

KEY = {"API-Key": "sgw_live_live1_s3cret_with_underscores"}
UNKNOWN = "0192f0c1-8000-7abc-8def-0123456789ab"


async def cancels(system) -> list[Cancel]:
    found: list[Cancel] = []

    async def take(channel) -> None:
        queue = await channel.get_queue(topology.CONTROL, ensure=False)
        while (taken := await queue.get(fail=False)) is not None:
            await taken.ack()
            assert (taken.type, taken.delivery_mode) == (CANCEL_V1, aio_pika.DeliveryMode.PERSISTENT)
            found.extend(decode_cancel(entry) for entry in decode_envelope(taken.body).entries)

    await system.topology(take)
    return found


async def project(system, accepted: dict, status: Status) -> None:
    shown = Message(
        **{name: accepted[name] for name in ("tracking_id", "mode", "to", "reference", "metadata", "created_at")},
        sender=accepted["from"],
        segments=msgspec.convert(accepted["segments"], message.Segments),
        status=status,
        is_final=status.is_final,
        version=2,
        traffic_type="transactional",
        updated_at=accepted["created_at"],
    )
    value = b"2|%d|" % status.is_final + msgspec.json.encode(shown)
    await system.redis.set(keyspace.status("c1", shown.tracking_id), value)


async def test_a_cancel_is_durably_queued_and_shows_the_message(system) -> None:
    sent = (await system.send(reference="r")).json()
    answer = await system.http.post(f"/v1/messages/{sent['tracking_id']}/cancel", headers=KEY)
    assert answer.status_code == 202
    read = (await system.get(f"/v1/messages/{sent['tracking_id']}")).json()
    assert answer.json() == read | {"cancel_requested": True}
    (cancel,) = await cancels(system)
    assert (cancel.client, cancel.tracking_id, cancel.batch_id) == ("c1", sent["tracking_id"], None)
    assert abs(cancel.requested_at - system.gateway.clock.now_ms()) < 5_000

    await project(system, sent, Status.SENDING)
    again = await system.http.post(f"/v1/messages/{sent['tracking_id']}/cancel", headers=KEY)
    assert (again.status_code, again.json()["status"], again.json()["cancel_requested"]) == (202, "sending", True)
    assert len(await cancels(system)) == 1


async def test_what_is_final_stays(system) -> None:
    sent = (await system.send()).json()
    await project(system, sent, Status.DELIVERED)
    answer = await system.http.post(f"/v1/messages/{sent['tracking_id']}/cancel", headers=KEY)
    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (409, "message.final", False)
    assert answer.json()["tracking_id"] == sent["tracking_id"]
    assert await cancels(system) == []


async def test_only_ones_own(system) -> None:
    sent = (await system.send()).json()
    await system.add_client("c2")
    other = {"API-Key": await system.add_key("live2", client="c2")}
    reader = {"API-Key": await system.add_key("read1", scopes=["messages:read"])}
    for headers, tracking_id, expected in (
        (other, sent["tracking_id"], "message.not_found"),
        (KEY, UNKNOWN, "message.not_found"),
        (KEY, "nonsense", "message.not_found"),
        (reader, sent["tracking_id"], "auth.scope"),
    ):
        answer = await system.http.post(f"/v1/messages/{tracking_id}/cancel", headers=headers)
        assert answer.json()["code"] == expected
    # The id of a message is not the id of a batch.
    for batch_id in (sent["tracking_id"], UNKNOWN, "nonsense"):
        assert (await system.http.post(f"/v1/batches/{batch_id}/cancel", headers=KEY)).json()["code"] == "message.not_found"
    assert (await system.http.get(f"/v1/messages/{UNKNOWN}/cancel", headers=KEY)).json()["code"] == "request.method_not_allowed"
    assert await cancels(system) == []


async def test_a_batch_that_server_b_has_written_again_can_be_taken_back_and_nothing_else(system) -> None:
    record = f'd||0|0||||0|{{"batch_id":"{UNKNOWN}"}}'
    await system.redis.set(keyspace.reservation("c1", UNKNOWN), record)
    answer = await system.http.post(f"/v1/batches/{UNKNOWN}/cancel", headers=KEY)
    assert (answer.status_code, answer.json()) == (202, {"batch_id": UNKNOWN, "cancel_requested": True})
    assert [cancel.batch_id for cancel in await cancels(system)] == [UNKNOWN]
    assert (await system.get(f"/v1/messages/{UNKNOWN}")).json()["code"] == "message.not_found"
    assert (await system.http.post(f"/v1/messages/{UNKNOWN}/cancel", headers=KEY)).json()["code"] == "message.not_found"


async def test_what_was_never_confirmed_can_be_taken_back(system) -> None:
    sent = (await system.send("k")).json()
    key = keyspace.reservation("c1", sent["tracking_id"])
    fields = (await system.redis.get(key)).split(b"|", 8)
    fields[0], fields[2] = b"p", b"0"
    await system.redis.set(key, b"|".join(fields))
    assert (await system.get(f"/v1/messages/{sent['tracking_id']}")).status_code == 404
    assert (await system.http.post(f"/v1/messages/{sent['tracking_id']}/cancel", headers=KEY)).status_code == 202
    assert len(await cancels(system)) == 1


async def test_a_cancel_is_never_taken_without_a_confirm(system) -> None:
    sent = (await system.send()).json()
    path = f"/v1/messages/{sent['tracking_id']}/cancel"
    system.broker.mute()
    answer = await system.http.post(path, headers=KEY)
    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (503, "broker.unconfirmed", True)
    system.broker.resume()
    await system.broker.cut()
    await system.until(lambda: system.gateway.broker.down)
    answer = await system.http.post(path, headers=KEY)
    assert (answer.status_code, answer.json()["code"]) == (503, "broker.unavailable")
    await system.broker.open()
    await system.is_ready()
    await system.cache.cut()
    await system.until(lambda: not system.gateway.cache.ready)
    assert (await system.http.post(path, headers=KEY)).json()["code"] == "cache.unavailable"


async def test_while_statuses_are_being_projected_nothing_is_unknown(system) -> None:
    await system.redis.hdel(keyspace.MARKER, "statuses")
    for path in (f"/v1/messages/{UNKNOWN}/cancel", f"/v1/batches/{UNKNOWN}/cancel"):
        answer = await system.http.post(path, headers=KEY)
        assert (answer.status_code, answer.json()["code"]) == (503, "cache.unavailable")


async def test_a_preview_is_free(system) -> None:
    await system.add_client(daily_limit=0, rate=0.001, burst=1)
    json = {"text": "It’s 5 o’clock…"}
    for _ in range(3):
        answer = await system.http.post("/v1/messages/preview", headers=KEY, json=json)
        assert answer.status_code == 200
        assert answer.json() == {
            "segments": {"count": 1, "encoding": "ucs2", "characters": 15, "per_segment": 70},
            "non_gsm_characters": ["’", "…"],
            "transliterated": "It's 5 o'clock...",
        }
    assert (await system.traces(), await system.used()) == (set(), 0)
    reader = {"API-Key": await system.add_key("read1", scopes=["messages:read"])}
    for headers, content, expected in (
        (reader, b'{"text":"x"}', "auth.scope"),
        (KEY, b'{"text":"x","extra":1}', "request.invalid"),
        (KEY, b"x", "request.invalid_json"),
        (KEY, b" " * 70_000, "request.too_large"),
    ):
        answer = await system.http.post("/v1/messages/preview", headers=headers | {"content-type": "application/json"}, content=content)
        assert answer.json()["code"] == expected
    assert (await system.http.post("/v1/messages/preview", headers=KEY, content=b"{}")).status_code == 415
