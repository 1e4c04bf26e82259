"""SNS: botocore's own request is the oracle for ours, its signer for our signature."""

from dataclasses import replace
from datetime import UTC, datetime
from unittest.mock import patch
from urllib.parse import parse_qsl

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_contract.status import TrafficType
from sms_providers.adapters.sns import SnsConfig, SnsProvider
from sms_providers.errors import Outcome, SendError
from sms_providers.testing import SMS, Answers, ProviderRules, Refusal, Samples
from sms_providers.types import HttpAnswer

KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ID = "567910cd-659e-55d4-8ccb-5aaf14679dc0"
NOW = datetime(2026, 8, 1, 15, 30, 0, tzinfo=UTC)
XMLNS = 'xmlns="http://sns.amazonaws.com/doc/2010-03-31/"'


def published(message_id, status=200):
    body = f"<PublishResponse {XMLNS}><PublishResult><MessageId>{message_id}</MessageId></PublishResult></PublishResponse>"
    return HttpAnswer(status=status, body=body.encode())


def error(status, code, message="no", **headers):
    body = f"<ErrorResponse {XMLNS}><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    return HttpAnswer(status=status, body=body.encode(), headers=headers)


class TestSns(ProviderRules):
    adapter = SnsProvider
    samples = Samples(
        config={"access_key_id": KEY_ID, "secret_access_key": SECRET, "region": "eu-central-1"},
        method="POST",
        url="https://sns.eu-central-1.amazonaws.com/",
        headers={"content-type": "application/x-www-form-urlencoded; charset=utf-8", "host": "sns.eu-central-1.amazonaws.com"},
        body=b"Action=Publish&Version=2010-03-31&PhoneNumber=%2B447911123456&Message=Your+code+is+4711+%26+more:+%C3%A9%3D%2B%25"
        b"&MessageAttributes.entry.1.Name=AWS.SNS.SMS.SMSType&MessageAttributes.entry.1.Value.DataType=String"
        b"&MessageAttributes.entry.1.Value.StringValue=Transactional&MessageAttributes.entry.2.Name=AWS.SNS.SMS.SenderID"
        b"&MessageAttributes.entry.2.Value.DataType=String&MessageAttributes.entry.2.Value.StringValue=ACME",
        accepted={ID: published(ID)},
        without_id=[
            published(""),
            HttpAnswer(status=200, body=f"<PublishResponse {XMLNS}></PublishResponse>".encode()),
            error(200, "Throttled"),
        ],
        refusals=[
            Refusal(
                answer=error(400, "InvalidParameter", "Invalid parameter: PhoneNumber Reason: +1 is not valid to publish to"),
                outcome=Outcome.REFUSED,
                code="recipient.invalid_number",
            ),
            Refusal(answer=error(400, "InvalidParameter", "SenderID"), outcome=Outcome.NOT_FOR_THIS_PROVIDER, code="sender.not_allowed"),
            Refusal(answer=error(403, "AuthorizationError"), outcome=Outcome.MISCONFIGURED, code="provider.misconfigured"),
            Refusal(answer=error(403, "SignatureDoesNotMatch"), outcome=Outcome.MISCONFIGURED, code="provider.misconfigured"),
            Refusal(answer=error(400, "OptedOut"), outcome=Outcome.REFUSED, code="recipient.opted_out", opted_out=True),
            Refusal(answer=error(400, "Throttling"), outcome=Outcome.UNAVAILABLE, code="provider.throttled"),
            Refusal(answer=error(503, "ServiceUnavailable"), outcome=Outcome.UNAVAILABLE, code="provider.unavailable"),
        ],
        error=error(400, "SomethingNew"),
        throttled=error(429, "Throttled", **{"retry-after": "7"}),
    )


def provider(**more):
    config = {"access_key_id": KEY_ID, "secret_access_key": SECRET, "region": "eu-central-1", **more}
    return SnsProvider(SnsConfig.model_validate(config))


@given(
    body=st.binary(max_size=50),
    token=st.none() | st.text("abcXYZ012+/=", min_size=1),
    url=st.sampled_from([None, "http://127.0.0.1:5000", "https://sns.example/a/b"]),
)
def test_the_signature_is_botocores(body, token, url):
    ours = provider(session_token=token, base_url=url)
    headers = ours.signed(body, NOW)
    credentials = botocore.credentials.Credentials(KEY_ID, SECRET, token)
    request = botocore.awsrequest.AWSRequest(
        "POST", (url or "https://sns.eu-central-1.amazonaws.com") + "/", {"content-type": headers["content-type"]}, body
    )
    with patch("botocore.auth.get_current_datetime", return_value=NOW.replace(tzinfo=None)):
        botocore.auth.SigV4Auth(credentials, "sns", "eu-central-1").add_auth(request)
    assert headers["authorization"] == request.headers["Authorization"]
    assert headers.get("x-amz-security-token") == request.headers.get("X-Amz-Security-Token")


def test_the_request_is_botocores():
    client = botocore.session.get_session().create_client(
        "sns", region_name="eu-central-1", aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET
    )
    caught = []
    client.meta.events.register("before-sign.sns.Publish", lambda request, **_: caught.append((request.url, dict(request.data))))
    with patch("botocore.httpsession.URLLib3Session.send", side_effect=ConnectionError), pytest.raises(ConnectionError):
        client.publish(
            PhoneNumber=SMS.to,
            Message=SMS.text,
            MessageAttributes={
                "AWS.SNS.SMS.SMSType": {"DataType": "String", "StringValue": "Promotional"},
                "AWS.MM.SMS.OriginationNumber": {"DataType": "String", "StringValue": "+15551234567"},
            },
        )
    ours = provider().request_for(replace(SMS, sender="+15551234567", traffic_type=TrafficType.PROMOTIONAL))
    assert caught[0] == (ours.url, dict(parse_qsl(ours.body.decode())))


@pytest.mark.parametrize("sender", [None, "ACME", "+15551234567"])
def test_senders(sender):
    body = provider().request_for(replace(SMS, sender=sender)).body
    assert (b"SenderID" in body, b"OriginationNumber" in body) == (sender == "ACME", sender == "+15551234567")


async def test_what_is_too_long_is_left_to_another():
    with pytest.raises(SendError) as refused:
        await provider().send(replace(SMS, text="é" * 801), Answers())
    assert (refused.value.outcome, refused.value.code) == (Outcome.NOT_FOR_THIS_PROVIDER, "content.blocked")


def test_china_has_another_domain():
    assert provider(region="cn-north-1").request_for(SMS).url == "https://sns.cn-north-1.amazonaws.com.cn/"
