"""What no client can make us call: every post goes through the real session, to a receiver on loopback that must hear nothing."""

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sms_backend.accounts.models import Client
from sms_backend.accounts.webhooks import add_endpoint
from sms_backend.core.environment import environment
from sms_backend.core.errors import InvalidError
from sms_backend.pipeline import outlet as module
from sms_backend.pipeline.outlet import Answer, Outlet, Post
from sms_simulators.webhook_sink import Sink, listening


@pytest.fixture
def sink() -> Iterator[Sink]:
    with listening() as sink:
        yield sink


@pytest_asyncio.fixture
async def closed() -> AsyncIterator[Outlet]:
    """As in production."""
    outlet = Outlet(loopback=False)
    yield outlet
    await outlet.close()


@pytest_asyncio.fixture
async def opened() -> AsyncIterator[Outlet]:
    """As with the development setting."""
    outlet = Outlet(loopback=True, total=1.0)
    yield outlet
    await outlet.close()


async def post(outlet: Outlet, url: str, *, plain: bool = True) -> Answer:
    return await outlet.post(Post(url=url, headers={"Content-Type": "application/json"}, body=b"{}", plain_http=plain))


def answers(*addresses: str) -> Any:
    """What `getaddrinfo` says."""
    return [(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0",
        "0.0.0.0",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "localhost",
        "LOCALHOST.",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
        "10.0.0.1",
        "%31%32%37.0.0.1",
        "①②⑦.⓪.⓪.①",
    ],
)
async def test_no_spelling_of_a_private_address(closed: Outlet, sink: Sink, host: str) -> None:
    answer = await post(closed, f"http://{host}:{sink.port}/hook")
    assert (answer.status, sink.got) == (None, [])
    assert answer.reason in {"forbidden_address", "dns", "url", "protocol"}


@pytest.mark.parametrize(
    "found", [("127.0.0.1",), ("10.0.0.1",), ("93.184.216.34", "127.0.0.1"), ("::1",), ("::ffff:127.0.0.1",), ("fd00::1",), ()]
)
async def test_no_name_with_a_private_address_among_its_own(
    closed: Outlet, sink: Sink, monkeypatch: pytest.MonkeyPatch, found: tuple[str, ...]
) -> None:
    monkeypatch.setattr(module.socket, "getaddrinfo", lambda *_, **__: answers(*found))
    answer = await post(closed, f"http://hook.example:{sink.port}/")
    assert (answer.reason, sink.got) == ("forbidden_address", [])


async def test_the_connection_goes_to_the_address_that_was_checked(opened: Outlet, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def rebinding(host: str, *_: Any, **__: Any) -> Any:
        asked.append(host)
        return answers("127.0.0.1" if len(asked) == 1 else "10.255.255.1")

    monkeypatch.setattr(module.socket, "getaddrinfo", rebinding)
    answer = await post(opened, f"http://hook.example:{sink.port}/")
    assert (answer.status, asked) == (204, ["hook.example"])
    assert sink.got[0].headers["host"] == f"hook.example:{sink.port}"


async def test_every_socket_is_checked_whatever_the_resolver_said(closed: Outlet, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lying(host: str, port: int = 0, family: int = 0) -> Any:
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": socket.AF_INET, "proto": 6, "flags": 0}]

    monkeypatch.setattr(closed._resolver, "resolve", lying)
    answer = await post(closed, f"http://hook.example:{sink.port}/")
    assert (answer.status, answer.reason, sink.got) == (None, "forbidden_address", [])


async def test_redirects_are_not_followed(opened: Outlet, sink: Sink) -> None:
    with listening() as private:
        for status in (301, 302, 303, 307, 308):
            sink.always(status, Location=private.url)
            assert (await post(opened, sink.url)).status == status
        assert private.got == []


async def test_development_opens_loopback_and_nothing_else(opened: Outlet, sink: Sink) -> None:
    assert (await post(opened, sink.url)).status == 204
    assert (await post(opened, f"http://[::ffff:127.0.0.1]:{sink.port}/")).reason == "forbidden_address"
    assert (await post(opened, "http://169.254.169.254/latest/meta-data/")).reason == "forbidden_address"


@pytest.mark.parametrize("url", ["http://hook.example/", "ftp://hook.example/", "file:///etc/passwd", "https:///x", "https://[::1/"])
async def test_only_https_where_http_was_not_allowed(closed: Outlet, url: str) -> None:
    assert (await post(closed, url, plain=False)).reason == "url"


async def test_it_is_over_in_time(sink: Sink) -> None:
    done = threading.Event()
    sink.answer = lambda _: (200 + int(not done.wait(10)), {})
    outlet = Outlet(loopback=True, total=0.3)
    answer = await post(outlet, sink.url)
    done.set()
    await outlet.close()
    assert answer.reason == "timeout"
    assert answer.seconds < 2


async def test_a_receiver_that_is_not_there(opened: Outlet) -> None:
    assert (await post(opened, "http://127.0.0.1:1/")).reason == "connection"


async def test_the_name_is_told_to_tls_and_the_certificate_is_checked(
    opened: Outlet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    named: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_own_certificate(tmp_path))
    context.sni_callback = lambda _, name, __: named.append(name)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    monkeypatch.setattr(module.socket, "getaddrinfo", lambda *_, **__: answers("127.0.0.1"))
    answer = await post(opened, f"https://hook.example:{server.sockets[0].getsockname()[1]}/", plain=False)
    server.close()
    await server.wait_closed()
    assert (answer.reason, named) == ("tls", ["hook.example"])


def _own_certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hook.example")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1)).sign(key, hashes.SHA256())
    path = folder / "own.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize(
    "url",
    [
        "http://hook.example/",
        "ftp://hook.example/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://10.0.0.1/",
        "https://me:secret@hook.example/",
        "https://hook.example/#here",
        "https://hook.example:0/",
        "https://hook.example:99999/",
        "https://hoök.example/",
        "https://hook.example/a b",
        "https://hook.example/" + "a" * 2048,
        "hook.example",
        "",
    ],
)
def test_an_endpoint_says_at_once_what_cannot_be(client: Client, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sms_backend.accounts.webhooks.environment", environment.model_copy(update={"smsgw_development": False}))
    with pytest.raises(InvalidError) as refused:
        add_endpoint(client, url)
    assert set(refused.value.problems) == {"url"}
    assert "secret" not in str(refused.value)
