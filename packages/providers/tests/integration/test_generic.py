"""Three vendors without any code: their simulators, described by configuration alone."""

from dataclasses import replace

import pytest

from sms_contract.segments import Encoding
from sms_contract.status import Status
from sms_providers.errors import Outcome
from sms_providers.registry import build
from sms_providers.sending import Job, send_many
from sms_providers.testing import SMS
from sms_providers.transport import Transport

TOKEN = "t0ken"
DESCRIBED = {
    "plivo": {
        "path": "/v1/Account/{username}/Message/",
        "authentication": "basic",
        "username": "MAPLIVO0000000000000",
        "password": TOKEN,
        "body": '{"src": "{sender}", "dst": "{to_digits}", "text": "{text}", "url": "{callback_url}"}',
        "message_id": "/message_uuid/0",
        "code": "/error",
        "refused_codes": "text is empty or too long",
        "unavailable_codes": "http:503",
        "report_status": "/Status",
        "report_id": "/MessageUUID",
        "report_code": "/ErrorCode",
    },
    "kavenegar": {
        "path": "/v1/{token}/sms/send.json",
        "token": TOKEN,
        "body_format": "form",
        "body": "receptor=00{to_digits}&message={text}&localid={attempt}",
        "message_id": "/entries/0/messageid",
        "code": "/return/status",
        "accepted_codes": "200",
        "invalid_number_codes": "411",
        "refused_codes": "413",
        "misconfigured_codes": "418,403",
    },
    "vonage": {
        "path": "/sms/json",
        "body": '{"api_key": "abcd1234", "api_secret": "{token}", "to": "{to_digits}", "from": "{sender}", "text": "{text}", '
        '"client-ref": "{reference}", "callback": "{callback_url}"}',
        "token": TOKEN,
        "message_id": "/messages/0/message-id",
        "code": "/messages/0/status",
        "accepted_codes": "0",
        "throttled_codes": "1",
        "invalid_number_codes": "7",
        "report_status": "/status",
        "report_id": "/messageId",
        "sent_words": "accepted,buffered",
    },
}
described = pytest.mark.parametrize("lab", list(DESCRIBED), indirect=True)
NO = {"plivo": "text is empty or too long", "kavenegar": 413, "vonage": 7}


async def send(lab, **more):
    async with Transport(read=0.4) as transport:
        provider = account(lab)
        (result,) = await send_many([Job(provider=provider, sms=replace(SMS, **{"callback_url": f"{lab.url}?m=1", **more}))], transport)
        return result


def account(lab):
    return build("generic", {"base_url": lab.simulator.url, **DESCRIBED[lab.vendor.slug]})


@described
async def test_what_is_meant_arrives(lab):
    text = 'é 日 "quoted" \\ & {to} = 100%\nmore'
    result = await send(lab, text=text, encoding=Encoding.UCS2)
    async with lab.http.get(f"{lab.simulator.url}/control/ledger") as response:
        (entry,) = (await response.json())["entries"]
    assert (entry["to"], entry["body"], entry["sid"]) == (SMS.to, text, result.accepted.message_id)


@described
@pytest.mark.parametrize(
    ("rule", "outcome", "there"),
    [
        ({"action": "refuse", "http_status": 429}, Outcome.UNAVAILABLE, 0),
        ({"action": "refuse", "http_status": 401}, Outcome.MISCONFIGURED, 0),
        ({"action": "refuse", "http_status": 500}, Outcome.UNKNOWN, 0),
        ({"action": "accept_then_silence"}, Outcome.UNKNOWN, 1),
        ({"action": "accept_then_reset"}, Outcome.UNKNOWN, 1),
        ({"action": "accept_then_500"}, Outcome.UNKNOWN, 1),
        ({"action": "malformed_2xx"}, Outcome.UNKNOWN, 1),
        ({"action": "no_id_2xx"}, Outcome.UNKNOWN, 1),
    ],
)
async def test_what_the_vendor_does_and_what_we_call_it(lab, rule, outcome, there):
    await lab.behave(rules=[rule])
    assert (await send(lab)).outcome is outcome
    assert await lab.accepted() == there


@described
async def test_a_listed_code_is_a_refusal(lab):
    await lab.behave(rules=[{"action": "refuse", "code": NO[lab.vendor.slug]}])
    result = await send(lab)
    assert (result.outcome, result.error.provider_code) == (Outcome.REFUSED, str(NO[lab.vendor.slug]))


@pytest.mark.parametrize("lab", ["plivo", "vonage"], indirect=True)
async def test_reports_are_read(lab):
    result = await send(lab)
    for status in (Status.SENT, Status.DELIVERED):
        (receipt,) = account(lab).read(await lab.posted())
        assert (receipt.status, receipt.message_id) == (status, result.accepted.message_id)


@pytest.mark.parametrize("lab", ["plivo"], indirect=True)
async def test_a_503_is_believed_where_the_operator_says_so(lab):
    await lab.behave(rules=[{"action": "refuse", "http_status": 503}])
    assert (await send(lab)).outcome is Outcome.UNAVAILABLE
