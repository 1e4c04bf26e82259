"""Through Apprise to a service that is only HTTP: what arrives, and how little an answer tells."""

import asyncio
import logging
import threading
from dataclasses import replace

import pytest
from aiohttp import web

from sms_providers.errors import NotSentError, Outcome, UnknownOutcomeError
from sms_providers.registry import build
from sms_providers.sending import Job, send_many
from sms_providers.testing import SMS
from sms_providers.transport import Transport
from sms_providers.types import HttpAnswer, HttpRequest


class Service:
    def __init__(self):
        self.received = []
        self.status = 200

    async def handle(self, request):
        self.received.append((request.path, await request.json()))
        return web.Response(status=self.status)


@pytest.fixture
async def service():
    it = Service()
    runner = web.ServerRunner(web.Server(it.handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    it.port = runner.addresses[0][1]
    yield it
    await runner.cleanup()


async def send(port, sms=SMS):
    provider = build("apprise", {"url": f"json://127.0.0.1:{port}/send/{{to_digits}}"})
    async with Transport() as transport:
        (result,) = await send_many([Job(provider=provider, sms=sms)], transport)
        return result


async def test_a_yes_is_accepted_with_our_own_id(service):
    result = await send(service.port, replace(SMS, text='quotes " and <é> & {to}'))
    assert (result.outcome, result.accepted.message_id, result.accepted.receipts) == (Outcome.ACCEPTED, SMS.reference, ())
    ((path, content),) = service.received
    assert path.rstrip("/") == "/send/447911123456"
    assert content["message"] == 'quotes " and <é> & {to}'


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
async def test_a_no_is_unknown_whatever_was_behind_it(service, status, caplog):
    service.status = status
    with caplog.at_level(logging.DEBUG):
        assert (await send(service.port)).outcome is Outcome.UNKNOWN
    assert SMS.to.removeprefix("+") not in caplog.text


async def test_nobody_there_is_unknown_too(service, unused_tcp_port):
    assert (await send(unused_tcp_port)).outcome is Outcome.UNKNOWN


def in_thread(call):
    return HttpRequest(method="POST", url="apprise://in-thread", in_thread=call)


async def test_a_library_that_hangs_is_unknown_and_holds_up_nobody():
    held, seen = threading.Event(), []

    def hang():
        held.wait(10)
        return HttpAnswer(status=200)

    try:
        async with Transport(total=0.2, observe=lambda *told: seen.append(told[:2])) as transport:
            exchange = transport.exchange_for("eu")
            with pytest.raises(UnknownOutcomeError):
                await exchange(in_thread(hang))
            assert (await exchange(in_thread(lambda: HttpAnswer(status=204)))).status == 204
        assert seen == [("eu", "unknown"), ("eu", "2xx")]
    finally:
        held.set()


async def test_what_no_thread_took_was_not_sent_and_never_will_be():
    held, taken = threading.Event(), []

    def hang():
        taken.append(1)
        held.wait(10)
        return HttpAnswer(status=200)

    async with Transport(total=0.3) as transport:
        exchange = transport.exchange_for("eu")
        results = await asyncio.gather(*(exchange(in_thread(hang)) for _ in range(20)), return_exceptions=True)
        held.set()
    assert {type(result) for result in results} == {UnknownOutcomeError, NotSentError}
    assert sum(isinstance(result, UnknownOutcomeError) for result in results) == len(taken) == 16


async def test_what_a_library_raises_is_unknown():
    def fail():
        raise ConnectionResetError(SMS.to)

    provider = build("apprise", {"url": "json://127.0.0.1/{to}"})
    provider.request_for = lambda _sms: in_thread(fail)
    async with Transport() as transport:
        (result,) = await send_many([Job(provider=provider, sms=SMS)], transport)
    assert result.outcome is Outcome.UNKNOWN
    assert SMS.to not in str(result.error)
