"""Vonage's own Python SDK takes the simulator for Vonage; it knows no address but Vonage's, so its transport is led here."""

import asyncio
import json
from urllib.parse import parse_qsl

import pytest
from requests.adapters import HTTPAdapter
from vonage_http_client.auth import Auth
from vonage_http_client.errors import HttpRequestError
from vonage_http_client.http_client import HttpClient
from vonage_sms import Sms, SmsMessage
from vonage_sms.errors import SmsError

KEY, SECRET, SIGNATURE = "abcd1234", "s3cret", "signature-secret"
TO = "447911123456"


class Redirected(HTTPAdapter):
    """Every request goes to the simulator."""

    def __init__(self, url):
        super().__init__()
        self.to = url

    def send(self, request, **options):
        request.url = request.url.replace("https://rest.nexmo.com", self.to)
        return super().send(request, **options)


def sdk(lab, secret=SECRET):
    client = HttpClient(Auth(api_key=KEY, api_secret=secret))
    client._session.mount("https://", Redirected(lab.simulator.url))
    return client, Sms(client)


async def send(lab, secret=SECRET, **fields):
    client, sms = sdk(lab, secret)
    message = SmsMessage(**{"to": TO, "from_": "ACME", "text": "hello", **fields})
    try:
        return await asyncio.to_thread(sms.send, message)
    finally:
        client._session.close()


@pytest.fixture(autouse=True)
async def _account(lab, receiver):
    await lab.account("vonage", KEY, SECRET, signature_secret=SIGNATURE, reports_url=receiver.url)


async def test_send(lab):
    answer = await send(lab, client_ref="r-1", ttl=60000)
    assert answer.message_count == "1"
    (part,) = answer.messages
    assert (part.to, part.status, part.client_ref) == (TO, "0", "r-1")
    (entry,) = (await lab.control("ledger"))["entries"]
    assert (entry["sid"], entry["to"], entry["from"], entry["validity"]) == (part.message_id, f"+{TO}", "ACME", 60)
    assert (entry["reference"], entry["tracking_id"]) == ("r-1", "r-1")


async def test_each_part_has_an_id_and_reports(lab, receiver):
    answer = await send(lab, text="x" * 161)
    ids = [part.message_id for part in answer.messages]
    assert len(set(ids)) == 2
    reports = [json.loads((await receiver.posted()).body) for _ in range(4)]
    assert sorted((report["messageId"], report["status"]) for report in reports) == sorted(
        (part, word) for part in ids for word in ("accepted", "delivered")
    )


async def test_wrong_credentials(lab):
    with pytest.raises(SmsError, match="error code 4"):
        await send(lab, "wrong")


@pytest.mark.parametrize(("fields", "code"), [({"to": "12"}, 3), ({"text": ""}, 2), ({"callback": "http://example.com/"}, 23)])
async def test_requests_that_are_not_in_order(lab, fields, code):
    with pytest.raises(SmsError, match=f"error code {code}"):
        await send(lab, **fields)
    ledger = await lab.control("ledger")
    assert (ledger["entries"], ledger["refusals"][0]["code"]) == ([], code)


async def test_refusals_on_request(lab):
    behaviour = {"rules": [{"action": "refuse", "code": 9, "first": 1}, {"action": "refuse", "http_status": 429}]}
    await lab.account("vonage", KEY, SECRET, behaviour=behaviour)
    with pytest.raises(SmsError, match="error code 9"):
        await send(lab)
    with pytest.raises(HttpRequestError, match="429"):
        await send(lab)


@pytest.mark.parametrize("method", ["md5", "sha1", "sha256", "sha512"])
@pytest.mark.parametrize("report_method", ["GET", "POST", "POST-JSON"])
async def test_reports_are_signed_as_the_vendors_validator_expects(lab, receiver, method, report_method):
    settings = {"signature_secret": SIGNATURE, "signature_method": method, "report_method": report_method, "reports_url": receiver.url}
    await lab.account("vonage", KEY, SECRET, **settings, behaviour={"reports": {"forged": 0.5}, "seed": 2})
    verdicts = set()
    for _ in range(4):
        await send(lab)
        posted = await receiver.posted()
        await receiver.posted()
        fields = {name: value for name, value in posted.query.items() if name not in {"m", "a", "s"}}
        if posted.method == "POST":
            fields = dict(parse_qsl(posted.body.decode())) if report_method == "POST" else json.loads(posted.body)
        assert (fields["msisdn"], fields["to"], fields["api-key"]) == (TO, "ACME", KEY)
        verdicts.add(Auth(api_key=KEY, signature_secret=SIGNATURE, signature_method=method).check_signature(fields))
    assert verdicts == {True, False}


async def test_people_write_in(lab, receiver):
    assert await lab.write_in(KEY, **{"from": "+447911123456", "to": "+15551234567", "text": "Stop it", "url": receiver.url}) == 204
    fields = json.loads((await receiver.posted()).body)
    assert (fields["msisdn"], fields["to"], fields["text"], fields["keyword"]) == (TO, "15551234567", "Stop it", "STOP")
