"""The daily quota at a client's local midnight, also when its clocks change."""

from datetime import UTC, datetime, timedelta

import pytest

from sms_contract import keyspace


@pytest.mark.parametrize(
    ("zone", "begins", "hours"),
    [
        ("Europe/Berlin", "2026-10-24T22:00:00", 25),
        ("Europe/Berlin", "2026-03-28T23:00:00", 23),
        ("America/New_York", "2026-11-01T04:00:00", 25),
        ("Asia/Tehran", "2026-05-01T20:30:00", 24),
        ("UTC", "2026-05-01T00:00:00", 24),
    ],
)
async def test_a_quota_begins_anew_at_local_midnight(system, monkeypatch, zone: str, begins: str, hours: int) -> None:
    midnight = datetime.fromisoformat(begins).replace(tzinfo=UTC)
    next_midnight = midnight + timedelta(hours=hours)
    await system.add_client(time_zone=zone, daily_limit=2)

    def at(moment: datetime) -> None:
        monkeypatch.setattr(system.gateway.clock, "now_ms", lambda: int(moment.timestamp() * 1000))

    at(midnight + timedelta(minutes=30))
    first = await system.send(text="a" * 200)
    assert first.headers["ratelimit"] == f'"daily";r=0;t={hours * 3600 - 1800}'
    refused = await system.send()
    assert (refused.json()["code"], refused.headers["retry-after"]) == ("quota.exceeded", str(hours * 3600 - 1800))
    account = (await system.get("/v1/account")).json()["quota"]
    assert account == {"daily_limit": 2, "used": 2, "remaining": 0, "resets_at": f"{next_midnight:%Y-%m-%dT%H:%M:%S}.000Z"}

    at(next_midnight - timedelta(milliseconds=1))
    refused = await system.send()
    assert (refused.json()["code"], refused.headers["retry-after"]) == ("quota.exceeded", "1")
    at(next_midnight)
    assert (await system.send()).headers["ratelimit"].startswith('"daily";r=1;')
    days = {key.decode().rpartition(":")[2] for key in await system.redis.keys(keyspace.quota("c1", "*").replace("{", r"\{"))}
    assert len(days) == 2
    charged = [submission.charged_day for submission in await system.queued()]
    assert charged == sorted(days)


async def test_what_was_certainly_not_queued_returns_to_the_day_that_it_was_charged_to(system, monkeypatch) -> None:
    await system.add_client(time_zone="Europe/Berlin", daily_limit=2)
    before = datetime(2026, 10, 25, 22, 59, 59, 900_000, UTC)
    monkeypatch.setattr(system.gateway.clock, "now_ms", lambda: int(before.timestamp() * 1000))
    assert (await system.send()).status_code == 202
    await system.broker.cut()
    await system.until(lambda: system.gateway.broker.down)
    refused = await system.send("k")
    assert (refused.status_code, refused.json()["code"]) == (503, "broker.unavailable")
    assert await system.redis.get(keyspace.quota("c1", "20261025")) == b"1"
    assert await system.redis.get(keyspace.quota("c1", "20261026")) is None
