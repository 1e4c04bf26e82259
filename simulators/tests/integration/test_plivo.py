"""Plivo's own Python SDK takes the simulator for Plivo, and its validator takes its signatures."""

import asyncio
from unittest.mock import patch
from urllib.parse import parse_qsl

import plivo
import pytest
from plivo.exceptions import AuthenticationError, PlivoRestError, ResourceNotFoundError, ValidationError

SID, TOKEN = "MAPLIVO0000000000000", "t0ken-of-plivo"
TO = "+447911123456"


@pytest.fixture(autouse=True)
async def _account(lab):
    await lab.account("plivo", SID, TOKEN)


async def call(lab, function, token=TOKEN):
    def within():
        with patch("plivo.rest.client.PLIVO_API_BASE_URI", f"{lab.simulator.url}/v1/Account"), plivo.RestClient(SID, token) as client:
            return function(client)

    return await asyncio.to_thread(within)


async def send(lab, token=TOKEN, **fields):
    content = {"src": "15551234567", "dst": TO, "text": "hello", **fields}
    return await call(lab, lambda client: client.messages.create(**content), token)


async def test_send_and_get(lab):
    created = await send(lab, text="x" * 161)
    (sid,) = created.message_uuid
    assert created.message == "message(s) queued"
    shown = await call(lab, lambda client: client.messages.get(sid))
    assert (shown.message_uuid, shown.to_number, shown.units) == (sid, TO[1:], 2)
    (entry,) = (await lab.control("ledger"))["entries"]
    assert (entry["sid"], entry["to"], entry["from"]) == (sid, TO, "15551234567")


async def test_the_balance(lab):
    account = await call(lab, lambda client: client.account.get())
    assert (account.auth_id, account.cash_credits) == (SID, "1000.00000")


@pytest.mark.parametrize(
    ("http_status", "kind"), [(400, ValidationError), (401, AuthenticationError), (404, ResourceNotFoundError), (429, PlivoRestError)]
)
async def test_refusals_are_the_sdks_errors(lab, http_status, kind):
    await lab.account("plivo", SID, TOKEN, behaviour={"rules": [{"action": "refuse", "http_status": http_status, "message": "because"}]})
    with pytest.raises(kind, match=r"because|429"):
        await send(lab)


async def test_wrong_credentials_and_wrong_numbers(lab):
    with pytest.raises(AuthenticationError):
        await send(lab, token="other")
    assert (await send(lab, dst="0")).message_uuid == []
    with pytest.raises(ValidationError):
        await send(lab, url="https://example.com/")
    assert (await lab.control("ledger"))["entries"] == []


async def test_reports_are_signed_as_the_vendors_validator_expects(lab, receiver):
    created = await send(lab, url=receiver.url, method="POST")
    for word in ("sent", "delivered"):
        posted = await receiver.posted()
        fields = dict(parse_qsl(posted.body.decode()))
        assert (fields["Status"], fields["ParentMessageUUID"], fields["ErrorCode"]) == (word, created.message_uuid[0], "000")
        nonce, signature = posted.headers["x-plivo-signature-v2-nonce"], posted.headers["x-plivo-signature-v2"]
        assert plivo.utils.validate_signature(receiver.url, nonce, signature, TOKEN)
        assert not plivo.utils.validate_signature(receiver.url, nonce + "0", signature, TOKEN)


@pytest.mark.parametrize("forged", [False, True])
async def test_people_write_in(lab, receiver, forged):
    assert await lab.write_in(SID, **{"from": TO, "to": "+15551234567", "text": "Stop é", "url": receiver.url, "forged": forged}) == 204
    posted = await receiver.posted()
    assert dict(parse_qsl(posted.body.decode()))["Text"] == "Stop é"
    nonce, signature = posted.headers["x-plivo-signature-v2-nonce"], posted.headers["x-plivo-signature-v2"]
    assert plivo.utils.validate_signature(receiver.url, nonce, signature, TOKEN) is not forged
