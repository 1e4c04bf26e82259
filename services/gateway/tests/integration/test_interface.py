"""Callbacks, documents, probes, and what every answer has in common."""

import json
import re

import aio_pika
import pytest

from sms_contract import topology
from sms_contract.envelope import decode_callback, decode_envelope
from sms_contract.errors import CATALOGUE
from sms_gateway.observability import logs


@pytest.mark.parametrize(("method", "body"), [("POST", b"MessageSid=SM1&\x00\xff"), ("GET", b"")])
async def test_a_callback_is_queued_as_it_came(system, method: str, body: bytes) -> None:
    headers = {"X-Signature": "c2ln", "content-type": "any/thing"}
    answer = await system.http.request(method, "/v1/callbacks/alpha/token?m=1&a=%20b", content=body, headers=headers)
    assert answer.status_code == 200

    async def take(channel: aio_pika.abc.AbstractChannel) -> None:
        message = await (await channel.get_queue(topology.CALLBACKS, ensure=False)).get()
        await message.ack()
        callback = decode_callback(decode_envelope(message.body).entries[0])
        assert (callback.provider, callback.method, callback.path) == ("alpha", method, "/v1/callbacks/alpha")
        assert (callback.query, callback.body) == ("m=1&a=%20b", body)
        assert ("x-signature", "c2ln") in callback.headers
        assert b"token" not in message.body

    await system.topology(take)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/callbacks/alpha/tokem",
        "/v1/callbacks/nobody/token",
        "/v1/callbacks/off/token",
        "/v1/callbacks/alpha",
        "/v1/callbacks/alpha/token/more",
        "/v1/callbacks//token",
        "/v1/callbacks/alpha/",
    ],
)
async def test_a_callback_with_a_wrong_token_is_not_found(system, path: str) -> None:
    answer = await system.http.post(path, content=b"x")
    assert (answer.status_code, answer.json()["code"]) == (404, "route.not_found")


async def test_a_callback_is_counted_by_its_route(system) -> None:
    assert (await system.http.post("/v1/callbacks/alpha/token", content=b"x")).status_code == 200
    assert (await system.http.put("/v1/callbacks/alpha/token", content=b"x")).status_code == 405
    metrics = (await system.http.get("/metrics")).text
    assert 'route="/v1/callbacks/{provider}/{token}",status="200"' in metrics
    assert "alpha/token" not in metrics


async def test_a_callback_that_is_too_large_is_refused(system) -> None:
    answer = await system.http.post("/v1/callbacks/alpha/token", content=b"x" * (256 * 1024 + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "request.too_large")


async def test_a_callback_that_cannot_be_queued_is_asked_for_again(system) -> None:
    await system.broker.cut()
    await system.until(lambda: system.gateway.broker.down)
    answer = await system.http.post("/v1/callbacks/alpha/token", content=b"x")
    assert answer.status_code == 503
    assert "retry-after" in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "route.not_found"),
        ("GET", "/v1/messages/", 404, "message.not_found"),
        ("DELETE", "/v1/messages", 405, "request.method_not_allowed"),
        ("PUT", "/v1/account", 405, "request.method_not_allowed"),
        ("GET", "/v1/messages/preview", 405, "request.method_not_allowed"),
        ("GET", "/v1/callbacks/alpha/token/more", 404, "route.not_found"),
        ("OPTIONS", "/v1/messages/preview", 405, "request.method_not_allowed"),
    ],
)
async def test_what_there_is_not_is_a_problem_too(system, method: str, path: str, status: int, code: str) -> None:
    answer = await system.http.request(
        method, path, headers={"api-key": "sgw_live_live1_s3cret_with_underscores", "x-request-id": "bad id"}
    )
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] != "bad id"
    if status == 405:
        assert answer.headers["allow"] == ("GET" if path == "/v1/account" else "POST")
    assert set(answer.json()) == {"type", "title", "status", "detail", "code", "retryable"}
    assert answer.json()["code"] in {code, "route.not_found"}


async def test_a_failure_of_ours_is_a_problem_without_a_trace(system, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("a text that no log may hold")

    monkeypatch.setattr(system.gateway.authenticator, "authenticate", broken)
    for answer in (await system.send(), await system.get("/v1/account")):
        assert (answer.status_code, answer.json()["code"]) == (500, "internal")
        assert "ZeroDivision" not in answer.text
        assert answer.headers["x-request-id"]


async def test_the_documents(system) -> None:
    document = (await system.http.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": "http://gateway.test"}]
    assert set(document["paths"]) >= {"/v1/messages", "/v1/messages/{tracking_id}", "/v1/account", "/v1/callbacks/{provider}/{token}"}
    assert "message.delivered" in document["webhooks"]
    text = json.dumps(document)
    for name in document["components"]["schemas"]:
        assert f"#/components/schemas/{name}" in text
    codes = {entry.code for entry in CATALOGUE.values() if entry.status} - {
        "message.final",
        "route.not_found",
        "request.method_not_allowed",
    }
    for code in codes:
        assert f'"{code}"' in text, code
    page = (await system.http.get("/errors")).text
    for code in CATALOGUE:
        assert f'id="{code}"' in page


async def test_the_documentation_needs_no_other_host(system) -> None:
    page = (await system.http.get("/docs")).text
    assert not re.search(r"""["'(=]\s*(?:https?:)?//""", page)
    files = re.findall(r"""(?:src|href)="([^"]+)\"""", page)
    assert len(files) == 3
    for file in files:
        assert (await system.http.get(file)).status_code == 200
    assert (await system.http.get("/docs/redoc.standalone.js")).json()["code"] == "route.not_found"


async def test_every_answer_is_counted_by_its_route(system) -> None:
    await system.send()
    await system.get("/v1/messages/0192f0c1-8000-7abc-8def-0123456789ab")
    text = (await system.http.get("/metrics")).text
    assert 'smsgw_http_requests_total{method="POST",route="/v1/messages",status="202"}' in text
    assert 'route="/v1/messages/{tracking_id}",status="404"' in text
    assert 'smsgw_messages_accepted_total{mode="live",traffic_type="transactional"}' in text
    assert "0192f0c1" not in text


async def test_logs_tell_what_happened_and_nothing_private(system, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    monkeypatch.setattr(logs, "_write", written.append)
    logs.configure("DEBUG")
    answer = await system.send("secret-idempotency-key", reference="private-reference", metadata={"private": "value"})
    await system.send(api_key="sgw_live_live1_wrong")
    await system.send(text="a text that no log may hold\0")
    await system.http.post("/v1/callbacks/alpha/token?m=private", content=b"private")
    await system.broker.cut()
    await system.until(lambda: system.gateway.broker.down)
    await system.send()
    text = b"\n".join(written).decode()
    lines = [json.loads(line) for line in text.splitlines() if line]
    (accepted,) = [line for line in lines if line["event"] == "message.accepted"]
    assert (accepted["tracking_id"], accepted["client"], accepted["level"]) == (answer.json()["tracking_id"], "c1", "info")
    for private in ("447911123456", "no log may hold", "s3cret", "secret-idem", "private", "/token"):
        assert private not in text, private
