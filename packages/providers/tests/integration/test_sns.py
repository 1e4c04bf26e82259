"""SNS as moto plays it: what it takes, and what it refuses."""

from dataclasses import replace

import botocore.session
import pytest
from moto.server import ThreadedMotoServer
from werkzeug.serving import WSGIRequestHandler

from sms_contract.segments import Encoding
from sms_contract.status import TrafficType
from sms_providers.errors import Outcome
from sms_providers.registry import build
from sms_providers.sending import Job, send_many
from sms_providers.testing import SMS
from sms_providers.transport import Transport

KEYS = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "s3cret", "region": "eu-central-1"}


@pytest.fixture(scope="module")
def moto():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WSGIRequestHandler, "log_request", lambda *_args, **_kwargs: None)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
        server.stop()


async def send(url, sms=SMS):
    async with Transport() as transport:
        (result,) = await send_many([Job(provider=build("sns", {**KEYS, "base_url": url}), sms=sms)], transport)
        return result


@pytest.mark.parametrize("sender", [None, "ACME", "+15551234567"])
async def test_it_is_published(moto, sender):
    sms = replace(SMS, sender=sender, text="é 日 & more", encoding=Encoding.UCS2, traffic_type=TrafficType.PROMOTIONAL)
    result = await send(moto, sms)
    assert result.outcome is Outcome.ACCEPTED
    assert len(result.accepted.message_id) == 36


async def test_a_wrong_number_is_refused_as_botocore_reads_it(moto):
    client = botocore.session.get_session().create_client(
        "sns", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x", endpoint_url=moto
    )
    with pytest.raises(client.exceptions.InvalidParameterException) as refused:
        client.publish(PhoneNumber="+1", Message="x")
    assert refused.value.response["Error"]["Code"] == "InvalidParameter"
    result = await send(moto, replace(SMS, to="+1"))
    assert (result.outcome, result.error.provider_code) == (Outcome.REFUSED, "InvalidParameter:PhoneNumber")
