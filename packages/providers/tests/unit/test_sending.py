"""One result for each job; the built-in provider; the registry."""

import asyncio
from dataclasses import replace

import pytest

from sms_contract.status import Status
from sms_providers.errors import NotSentError, Outcome, SendError
from sms_providers.registry import ADAPTERS, ConfigError, build, schema
from sms_providers.sending import Job, send_many
from sms_providers.testing import SMS
from sms_providers.types import Exchange, HttpAnswer, HttpRequest

TEST = build("test", {})


class InProcess:
    """Stands for the transport: answers what can be answered in the process, and is told what else to do."""

    def __init__(self, other=None):
        self.other = other
        self.lent = []

    def exchange_for(self, account: str, *, not_after: float | None = None) -> Exchange:
        self.lent.append((account, not_after))

        async def exchange(request: HttpRequest) -> HttpAnswer:
            await asyncio.sleep(0)
            if request.in_process is not None:
                return request.in_process()
            return self.other(request)

        return exchange


async def sent(to, attempt=1):
    (result,) = await send_many([Job(provider=TEST, sms=replace(SMS, to=to, attempt=attempt))], InProcess())
    return result


@pytest.mark.parametrize(
    ("to", "status"),
    [("+15005550006", Status.DELIVERED), ("+15005550009", Status.UNDELIVERED), ("+447911123456", Status.DELIVERED)],
)
async def test_test_mode_reports_at_once(to, status):
    result = await sent(to)
    (receipt,) = result.accepted.receipts
    assert (receipt.status, receipt.message_id) == (status, result.accepted.message_id)


@pytest.mark.parametrize(
    ("to", "attempt", "outcome"),
    [
        ("+15005550001", 1, Outcome.REFUSED),
        ("+15005550007", 1, Outcome.UNKNOWN),
        ("+15005550007", 2, Outcome.UNKNOWN),
        ("+15005550008", 1, Outcome.UNAVAILABLE),
        ("+15005550008", 2, Outcome.UNAVAILABLE),
        ("+15005550008", 3, Outcome.ACCEPTED),
    ],
)
async def test_test_mode_goes_wrong_as_documented(to, attempt, outcome):
    assert (await sent(to, attempt)).outcome is outcome


async def test_test_mode_names_each_attempt_by_itself():
    first, second = await sent("+15005550006", 1), await sent("+15005550006", 2)
    assert first.accepted.message_id != second.accepted.message_id


async def test_each_job_has_its_own_result_in_order():
    def other(request):
        raise {b"1": NotSentError("no"), b"2": KeyError("a fault of ours")}[request.body[-1:]]

    twilio = build("twilio", {"account_sid": "AC1", "auth_token": "t"}, account="eu")
    plain = replace(SMS, callback_url=None)
    jobs = [
        Job(provider=twilio, sms=replace(plain, sender="S1"), not_after=5.0),
        Job(provider=TEST, sms=replace(SMS, to="+15005550006")),
        Job(provider=twilio, sms=replace(plain, sender="S2")),
        Job(provider=twilio, sms=replace(plain, sender=None)),
    ]
    lender = InProcess(other)
    results = await send_many(jobs, lender)
    assert [r.outcome for r in results] == [Outcome.NOT_SENT, Outcome.ACCEPTED, Outcome.UNKNOWN, Outcome.NOT_FOR_THIS_PROVIDER]
    assert lender.lent[:2] == [("eu", 5.0), ("test", None)]
    assert all((r.error is None) is (r.accepted is not None) and r.seconds >= 0 for r in results)
    assert isinstance(results[2].error.__cause__, KeyError)
    assert results[2].error.detail == "fault in the adapter: KeyError"


async def test_nothing_to_send_is_no_error():
    assert await send_many([], InProcess()) == []


async def test_being_cancelled_ends_it():
    forever = asyncio.Event()

    class Never:
        def exchange_for(self, account, *, not_after=None):
            async def exchange(request):
                await forever.wait()

            return exchange

    task = asyncio.create_task(send_many([Job(provider=build("twilio", {"account_sid": "A", "auth_token": "t"}), sms=SMS)], Never()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_wrong_configuration_says_where_without_values():
    with pytest.raises(ConfigError) as refused:
        build("twilio", {"account_sid": "AC1", "auth_token": ["hunter2"], "base_url": "http://example.com", "colour": "hunter2"})
    assert {field for field, _ in refused.value.problems} == {"auth_token", "base_url", "colour"}
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_an_adapter_that_there_is_not():
    with pytest.raises(KeyError):
        build("pigeon", {})


@pytest.mark.parametrize("slug", ADAPTERS)
def test_schemas_mark_secrets(slug):
    properties = schema(slug).get("properties", {})
    for name in ADAPTERS[slug].Config.secret_fields():
        assert "writeOnly" in str(properties[name])


def test_test_mode_has_nothing_to_configure():
    assert build("test", {}).account == "test"
    with pytest.raises(ConfigError):
        build("test", {"base_url": "https://example.com"})
    assert issubclass(NotSentError, SendError)
