"""What Apprise says, and how little that is."""

import json
from dataclasses import replace

import pytest
from pydantic import ValidationError

from sms_providers.adapters.apprise import AppriseConfig, AppriseProvider
from sms_providers.errors import Outcome, SendError
from sms_providers.registry import ADAPTERS
from sms_providers.testing import SMS, Answers, ProviderRules, Refusal, Samples
from sms_providers.types import HttpAnswer

URL = "clickatell://s3cret-key-of-ours/{to_digits}"


def answer(status, headers=(), **body):
    return HttpAnswer(status=status, body=json.dumps(body).encode(), headers=dict(headers))


class TestApprise(ProviderRules):
    adapter = AppriseProvider
    samples = Samples(
        config={"url": URL},
        method="POST",
        url="apprise://in-thread",
        body=b"",
        accepted={"r-1": answer(200, ok=True, id="r-1")},
        without_id=[answer(200, ok=True, id=""), answer(200, ok=False, id="r-1")],
        refusals=[Refusal(answer=answer(400, error="not_understood"), outcome=Outcome.NOT_FOR_THIS_PROVIDER, code="route.none_available")],
        error=answer(400, error="unheard_of"),
        throttled=answer(429, headers={"retry-after": "7"}.items(), error="x"),
    )

    def test_its_configuration_has_an_address_that_must_be_https(self) -> None:
        """The address is Apprise's."""
        for wrong in ("", "nowhere", "nope://key/{to}", "clickatell://key/447911123456", "clickatell://key/{to}/{text}"):
            with pytest.raises(ValidationError):
                AppriseConfig.model_validate({"url": wrong})


def provider(url=URL):
    return AppriseProvider(AppriseConfig.model_validate({"url": url}))


def test_it_is_there_because_the_extra_is():
    assert ADAPTERS["apprise"] is AppriseProvider


async def test_a_sender_that_is_needed_and_missing():
    with pytest.raises(SendError) as refused:
        await provider("twilio://AC" + "0" * 32 + ":" + "0" * 32 + "@{sender}/{to}").send(replace(SMS, sender=None), Answers())
    assert refused.value.outcome is Outcome.NOT_FOR_THIS_PROVIDER


async def test_a_lone_surrogate_is_left_to_another():
    with pytest.raises(SendError) as refused:
        await provider().send(replace(SMS, text="\ud800"), Answers())
    assert refused.value.outcome is Outcome.NOT_FOR_THIS_PROVIDER
