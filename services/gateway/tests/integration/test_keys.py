"""API keys, and who may call from where."""

import asyncio
import hmac

import pytest

from sms_contract import keyspace
from sms_gateway.auth import Authenticator
from sms_gateway.throttle import Throttle

SECRET = "s3cret_with_underscores"


async def code(system, api_key: str, path: str = "/v1/account") -> tuple[int, str]:
    answer = await system.get(path, api_key=api_key)
    return answer.status_code, answer.json().get("code", "ok")


@pytest.mark.parametrize(
    "api_key",
    [
        f"sgw_live_nobody_{SECRET}",
        "sgw_live_live1_wrong",
        f"sgw_test_live1_{SECRET}",
        f"sgw_live_LIVE1_{SECRET}",
        "live1",
        "sgw_live_live1_",
        "sgw___",
        "ключ".encode().decode("latin-1"),
        "",
    ],
)
async def test_whatever_is_wrong_with_a_key_the_answer_is_the_same(system, api_key: str) -> None:
    answer = await system.http.get("/v1/account", headers={"api-key": api_key.encode("latin-1")})
    assert (answer.status_code, answer.json()["code"]) == (401, "auth.invalid_key")
    assert answer.json() == (await system.get("/v1/account", api_key="sgw_live_nobody_x")).json()
    assert "www-authenticate" in answer.headers


async def test_a_key_may_come_as_a_bearer(system) -> None:
    for headers, status in (
        ({"authorization": f"Bearer sgw_live_live1_{SECRET}"}, 200),
        ({"authorization": f"bearer sgw_live_live1_{SECRET}"}, 200),
        ({"authorization": "Bearer nonsense"}, 401),
        ({"authorization": "Basic abc"}, 401),
        ({}, 401),
    ):
        assert (await system.http.get("/v1/account", headers=headers)).status_code == status


async def test_an_expired_key_is_invalid(system) -> None:
    now = system.gateway.clock.now_ms() // 1000
    assert await code(system, await system.add_key("old", expires_at=now - 1)) == (401, "auth.invalid_key")
    assert (await code(system, await system.add_key("new", expires_at=now + 60)))[0] == 200


async def test_scopes(system) -> None:
    reader = await system.add_key("reader", scopes=["messages:read"])
    assert await code(system, reader) == (403, "auth.scope")
    assert (await system.send(api_key=reader)).json()["code"] == "auth.scope"
    assert await code(system, reader, "/v1/messages/x") == (404, "message.not_found")


async def test_networks(system) -> None:
    here = await system.add_key("here", networks=["10.0.0.0/8", "127.0.0.1/32"])
    elsewhere = await system.add_key("elsewhere", networks=["10.0.0.0/8", "::1/128"])
    assert (await code(system, here))[0] == 200
    assert await code(system, elsewhere) == (403, "auth.network")


async def test_a_suspended_client_may_read_but_not_send(system) -> None:
    await system.add_client(suspended=True)
    answer = await system.send()
    assert (answer.status_code, answer.json()["code"]) == (403, "client.suspended")
    assert (await system.get("/v1/account")).status_code == 200


async def test_a_new_key_works_at_once_and_a_revoked_one_stops_in_time(system) -> None:
    assert (await code(system, f"sgw_live_fresh_{SECRET}"))[0] == 401
    fresh = await system.add_key("fresh")
    assert (await code(system, fresh))[0] == 200
    await system.redis.delete(keyspace.api_key("fresh"))

    async def refused() -> bool:
        return (await code(system, fresh))[0] == 401

    await system.until(refused, seconds=5)


async def test_a_key_under_an_older_pepper_works_and_its_new_hash_is_left_for_server_b(system) -> None:
    newest, gateway = b"n" * 40, system.gateway
    before = gateway.authenticator
    gateway.authenticator = Authenticator(gateway.directory, gateway.clock, Throttle(gateway.cache), (newest, *gateway.settings.peppers))
    try:
        assert (await code(system, f"sgw_live_live1_{SECRET}"))[0] == 200
        assert (await code(system, "sgw_live_live1_wrong"))[0] == 401
        where = keyspace.rehashed("live1", keyspace.pepper_mark(newest))
        left = await system.redis.get(where)
        assert left.decode() == hmac.digest(newest, SECRET.encode(), "sha256").hex()
        # Once is enough.
        await system.redis.delete(where)
        assert (await code(system, f"sgw_live_live1_{SECRET}"))[0] == 200
        assert await system.redis.get(where) is None
    finally:
        gateway.authenticator = before


async def test_after_thirty_failures_further_ones_are_throttled_but_a_valid_key_passes(system) -> None:
    answers = await asyncio.gather(*(system.get("/v1/account", api_key=f"sgw_live_nobody{i}_x") for i in range(30)))
    assert {answer.status_code for answer in answers} == {401}
    answer = await system.get("/v1/account", api_key="sgw_live_nobody_x")
    assert (answer.status_code, answer.json()["code"]) == (429, "auth.throttled")
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert (await system.get("/v1/account")).status_code == 200


async def test_failures_count_across_processes_and_within_one_while_redis_is_away(system, start) -> None:
    headers = {"Authorization": "Basic abc"}
    async with start() as other:
        await other.is_ready()
        both = [await one.http.get("/v1/account", headers=headers) for _ in range(15) for one in (system, other)]
        assert {answer.status_code for answer in both} == {401}
        for one in (system, other):
            answer = await one.http.get("/v1/account", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (429, "auth.throttled")
            assert 0 < int(answer.headers["retry-after"]) <= 60
            assert (await one.get("/v1/account")).status_code == 200
        assert 0 < await system.redis.pttl(keyspace.failures("127.0.0.1")) <= 60_000
        # Each has seen 16 itself.
        await other.cache.cut()
        await other.is_ready(ready=False)
        alone = [(await other.http.get("/v1/account", headers=headers)).status_code for _ in range(15)]
        assert alone == [401] * 14 + [429]
