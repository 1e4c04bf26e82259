"""A vendor that nobody has heard of, by configuration alone."""

import json
from dataclasses import replace
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from pydantic import ValidationError

from sms_contract.status import Status
from sms_providers.adapters.generic import GenericProvider
from sms_providers.errors import Outcome, SendError
from sms_providers.registry import ConfigError, build
from sms_providers.testing import SMS, Answers, ProviderRules, Refusal, Said, Samples
from sms_providers.types import Accepted, Callback, HttpAnswer, Receipt, Reports

URL = "https://sms.example/v1/callbacks/eu/token?m=0192f0c1&a=1&s=5f2c"
JSON = {
    "base_url": "https://api.vendor.example/v2",
    "path": "/messages",
    "authentication": "bearer",
    "token": "s3cret-token-of-this-account",
    "headers": "X-Request: {reference}\n\nX-Plain:  as it is ",
    "body": '{"to": "{to_digits}", "text": "{text}", "from": "{sender}", "ttl": {validity}, "report_to": "{callback_url}"}',
    "default_sender": "FALLBACK",
    "message_id": "/data/id",
    "code": "/error/code",
    "refused_codes": "bad_text, http:422",
    "invalid_number_codes": "bad_number",
    "opted_out_codes": "stopped",
    "unsuitable_codes": "bad_sender",
    "misconfigured_codes": "no_credit",
    "unavailable_codes": "maintenance,http:503",
    "throttled_codes": "too_fast",
    "report_status": "/status",
    "report_id": "/id",
    "report_code": "/reason",
}
FORM = {
    "base_url": "https://old.vendor.example",
    "path": "/cgi/send?user={username}",
    "username": "me&you",
    "password": "pass+word",
    "body_format": "form",
    "body": "pw={password}&to={to}&text={text}&id={reference}&minutes={validity_minutes}",
    "code": "/status",
    "accepted_codes": "0,100",
    "refused_codes": "3",
    "throttled_codes": "9",
    "deduplicates": True,
}


def answer(status, /, headers=(), **body):
    return HttpAnswer(status=status, body=json.dumps(body).encode(), headers=dict(headers))


def error(status, code, **headers):
    return answer(status, headers.items(), error={"code": code, "about": SMS.to})


def report(**fields):
    return Callback(method="POST", url=URL, headers={"content-type": "application/json"}, body=json.dumps(fields).encode())


class TestJson(ProviderRules):
    adapter = GenericProvider
    samples = Samples(
        config=JSON,
        method="POST",
        url="https://api.vendor.example/v2/messages",
        headers={
            "Content-Type": "application/json",
            "Authorization": "Bearer s3cret-token-of-this-account",
            "X-Request": SMS.reference,
            "X-Plain": "as it is",
        },
        body='{"to": "447911123456", "text": "Your code is 4711 & more: é=+%", "from": "ACME", "ttl": 3600, '
        '"report_to": "https://sms.example/v1/callbacks/eu/token?m=0192f0c1-7d2a-7000-8000-00000000002a&a=1&s=5f2c"}'.encode(),
        accepted={"m-1": answer(200, data={"id": "m-1"}), "17": answer(202, data={"id": 17})},
        without_id=[answer(200), answer(200, data=None), answer(200, data={"id": ""}), answer(200, data={"id": ["m-1"]})],
        refusals=[
            Refusal(answer=error(400, "bad_text"), outcome=Outcome.REFUSED, code="content.blocked"),
            Refusal(answer=answer(422), outcome=Outcome.REFUSED, code="content.blocked"),
            Refusal(answer=error(422, "bad_number"), outcome=Outcome.REFUSED, code="recipient.invalid_number"),
            Refusal(answer=error(400, "stopped"), outcome=Outcome.REFUSED, code="recipient.opted_out", opted_out=True),
            Refusal(answer=error(400, "bad_sender"), outcome=Outcome.NOT_FOR_THIS_PROVIDER, code="sender.not_allowed"),
            Refusal(answer=error(400, "no_credit"), outcome=Outcome.MISCONFIGURED, code="provider.misconfigured"),
            Refusal(answer=error(409, "too_fast"), outcome=Outcome.UNAVAILABLE, code="provider.throttled"),
            Refusal(answer=error(503, "maintenance"), outcome=Outcome.UNAVAILABLE, code="provider.unavailable"),
            Refusal(answer=error(200, "bad_number"), outcome=Outcome.REFUSED, code="recipient.invalid_number"),
        ],
        error=error(400, "unheard_of"),
        throttled=error(429, "too_fast", **{"retry-after": "7"}),
        unsigned=[
            Said(
                callback=report(id="m-1", status="delivered"),
                events=[Receipt(status=Status.DELIVERED, message_id="m-1", provider_status="delivered")],
            ),
            Said(
                callback=report(id=17, status="failed", reason=5),
                events=[
                    Receipt(
                        status=Status.UNDELIVERED,
                        message_id="17",
                        code="recipient.unreachable",
                        provider_status="failed",
                        provider_code="5",
                    )
                ],
            ),
        ],
        unmapped=report(id="m-1", status="teleported"),
    )

    async def test_a_server_error_is_unknown_whatever_it_says(self) -> None:
        """Of a 503 the operator may say that nothing was taken; of no other."""
        for status in (500, 501, 502, 504, 520, 599):
            for body in (b"", b"<html>", error(200, "bad_number").body, error(200, "maintenance").body):
                failed = await self.outcome(HttpAnswer(status=status, body=body))
                assert isinstance(failed, SendError)
                assert failed.outcome is Outcome.UNKNOWN

    async def test_a_refusal_that_is_not_in_its_words_is_unknown(self) -> None:
        for status in (302, 400, 408, 409, 421):
            failed = await self.outcome(HttpAnswer(status=status, body=b"<html>"))
            assert isinstance(failed, SendError)
            assert failed.outcome is Outcome.UNKNOWN


async def sent(config, *answers, sms=SMS):
    exchange = Answers(*answers)
    try:
        result = await build("generic", config).send(sms, exchange)
    except SendError as failed:
        result = failed
    return result, exchange.requests


async def test_a_form_with_a_code_inside_a_200_and_no_id():
    accepted, (request,) = await sent(FORM, answer(200, status=100))
    assert accepted == Accepted(message_id=SMS.reference, provider_status="100")
    assert parse_qs(urlsplit(request.url).query) == {"user": ["me&you"]}
    assert {name: values[0] for name, values in parse_qs(request.body.decode()).items()} == {
        "pw": "pass+word",
        "to": SMS.to,
        "text": SMS.text,
        "id": SMS.reference,
        "minutes": "60",
    }
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert "Authorization" not in request.headers


@pytest.mark.parametrize(
    ("status", "outcome"), [("3", Outcome.REFUSED), (9, Outcome.UNAVAILABLE), (7, Outcome.UNKNOWN), (None, Outcome.UNKNOWN)]
)
async def test_a_200_that_says_no(status, outcome):
    failed, _ = await sent(FORM, answer(200, status=status))
    assert failed.outcome is outcome


async def test_a_get_without_body():
    config = {
        "base_url": "https://old.vendor.example",
        "path": "/send?to={to}&text={text}&from={sender}",
        "method": "GET",
        "body_format": "none",
        "authentication": "basic",
        "username": "u",
        "password": "p",
        "message_id": "/id",
    }
    accepted, (request,) = await sent(config, answer(200, id="x"))
    assert accepted.message_id == "x"
    assert (request.method, request.body, request.headers["Authorization"]) == ("GET", b"", "Basic dTpw")
    assert request.url.startswith(
        "https://old.vendor.example/send?to=%2B447911123456&text=Your%20code%20is%204711%20%26%20more%3A%20%C3%A9%3D"
    )
    refused, requests = await sent(config, sms=replace(SMS, sender=None))
    assert (refused.outcome, refused.code, requests) == (Outcome.NOT_FOR_THIS_PROVIDER, "sender.not_allowed", [])


@pytest.mark.parametrize("config", [JSON, FORM, {**JSON, "headers": "X: {to_digits}"}])
async def test_what_cannot_be_expressed_is_left_to_another(config):
    refused, requests = await sent(config, sms=replace(SMS, text="lone \ud800"))
    assert (refused.outcome, requests) == (Outcome.NOT_FOR_THIS_PROVIDER, [])


async def test_without_a_sender_the_default_one_sends():
    _, (request,) = await sent(JSON, answer(200, data={"id": 1}), sms=replace(SMS, sender=None))
    assert json.loads(request.body)["from"] == "FALLBACK"


def test_an_account_can_what_its_configuration_says():
    able = build("generic", JSON).capabilities
    assert (able.reports, able.callback_per_message, able.validity, able.deduplicates) == (Reports.PUSHED, True, True, False)
    able = build("generic", FORM).capabilities
    assert (able.reports, able.callback_per_message, able.client_reference, able.deduplicates) == (Reports.NONE, False, True, True)
    assert not build("generic", FORM).read(report(status="delivered"))
    assert build("generic", {**JSON, "default_sender": ""}).capabilities.needs_sender


@pytest.mark.parametrize("kind", ["form", "query"])
def test_reports_may_come_as_a_form_or_a_query(kind):
    fields = urlencode({"id": "m-1", "status": "expired"})
    form = {"content-type": "application/x-www-form-urlencoded"}
    callback = (
        Callback(method="POST", url=URL, headers=form, body=fields.encode())
        if kind == "form"
        else Callback(method="GET", url=f"{URL}&{fields}")
    )
    (receipt,) = build("generic", JSON).read(callback)
    assert (receipt.status, receipt.message_id) == (Status.EXPIRED, "m-1")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"body": '{"to": "{to}", "x": "{nobody}"}'}, "no such placeholder: nobody"),
        ({"body": '{"to": {to}}'}, "outside of quotes"),
        ({"body": '{"to": "{to}"'}, "no JSON"),
        ({"body": ""}, "go together"),
        ({"body_format": "none"}, "go together"),
        ({"path": "messages"}, "begin with /"),
        ({"path": "/send/{text}"}, "in the query only"),
        ({"path": "/send#x"}, "neither blanks"),
        ({"headers": "no header"}, "each line"),
        ({"headers": "Host: elsewhere.example"}, "not free"),
        ({"headers": "X-Text: {text}"}, "no place there"),
        ({"message_id": "id"}, "JSON pointer"),
        ({"message_id": ""}, "what a yes is"),
        ({"code": "", "accepted_codes": "0"}, "need code"),
        ({"throttled_codes": "bad_number"}, "something else already"),
        ({"accepted_codes": "bad_number"}, "something else already"),
        ({"throttled_codes": "http:500"}, "can mean that nothing was taken"),
        ({"refused_codes": "http:200"}, "can mean that nothing was taken"),
        ({"unavailable_codes": "", "refused_codes": "http:503"}, "only be unavailable"),
        ({"deduplicates": True, "headers": ""}, "needs {reference}"),
        ({"token": "kéy"}, "ASCII"),
    ],
)
def test_what_is_unsound_is_refused_when_it_is_configured(wrong, words):
    with pytest.raises(ConfigError) as refused:
        build("generic", {**JSON, **wrong})
    assert words in str(refused.value)


def test_a_refused_configuration_shows_no_secret():
    with pytest.raises(ValidationError) as refused:
        GenericProvider.Config.model_validate({**JSON, "body": "{{{", "password": "hunter2"})
    assert "hunter2" not in str(refused.value)
    assert JSON["token"] not in str(refused.value)
