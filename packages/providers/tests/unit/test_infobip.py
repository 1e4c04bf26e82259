"""Infobip's wire format, by samples from its OpenAPI description; its own SDK's models are the oracle for requests."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from infobip_api_client.models import SmsDeliveryResult, SmsInboundMessageResult, SmsLogsResponse, SmsRequest, SmsResponse

from sms_contract.errors import CATALOGUE
from sms_contract.status import Status
from sms_providers.adapters.infobip import InfobipConfig, InfobipProvider
from sms_providers.errors import Outcome, SendError
from sms_providers.testing import SMS, Answers, ProviderRules, Refusal, Said, Samples
from sms_providers.types import Balance, Callback, HttpAnswer, Inbound, Receipt

CONFIG = {"api_key": "k3y-of-infobip", "base_url": "https://xyz.api.infobip.com"}
URL = "https://sms.example/v1/callbacks/eu/token?m=0192f0c1&a=1&s=5f2c"
ID = SMS.reference


def status(number: int, name: str, group: str) -> dict[str, object]:
    return {"groupId": 1, "groupName": group, "id": number, "name": name, "description": f"About {SMS.to}"}


PENDING = status(26, "PENDING_ACCEPTED", "PENDING")
DELIVERED = status(5, "DELIVERED_TO_HANDSET", "DELIVERED")
EXPIRED = status(15, "EXPIRED_EXPIRED", "EXPIRED")
NONE = {"groupId": 0, "groupName": "OK", "id": 0, "name": "NO_ERROR", "description": "No Error", "permanent": False}


def answer(code: int, body: object, **headers: str) -> HttpAnswer:
    return HttpAnswer(status=code, body=json.dumps(body).encode(), headers=headers)


def sent(state: object, **more: object) -> HttpAnswer:
    entry = {"messageId": ID, "status": state, "destination": "447911123456", "details": {"messageCount": 1}, **more}
    return answer(200, {"bulkId": "2034072219640523072", "messages": [entry]})


def rejected(number: int, name: str = "REJECTED_X") -> HttpAnswer:
    return sent(status(number, name, "REJECTED"))


def error(code: int, word: str, **headers: str) -> HttpAnswer:
    body = {"errorCode": word, "description": f"About {SMS.to}", "action": "Check", "violations": [], "resources": []}
    return answer(code, body, **headers)


def old_error(code: int, word: str) -> HttpAnswer:
    return answer(code, {"requestError": {"serviceException": {"messageId": word, "text": "No"}}})


def result(state: object, fault: object = None, **more: object) -> dict[str, object]:
    return {
        "bulkId": "BULK-ID-123-xyz",
        "messageId": ID,
        "to": "447911123456",
        "sender": "ACME",
        "sentAt": "2026-08-01T15:29:59.000+0000",
        "doneAt": "2026-08-01T15:30:00.000+0000",
        "messageCount": 1,
        "mccMnc": "22801",
        "price": {"pricePerMessage": 0.01, "currency": "EUR"},
        "status": state,
        "error": fault or NONE,
        **more,
    }


def failed(number: int) -> dict[str, object]:
    return {**NONE, "groupName": "HANDSET_ERRORS", "id": number, "name": "EC_X", "permanent": True}


def push(*results: object, **more: object) -> Callback:
    body = json.dumps({"results": list(results), **more}).encode()
    return Callback(method="POST", url=URL, headers={"content-type": "application/json"}, body=body)


def receipt(state: Status, word: str, number: str, code: str | None = None) -> Receipt:
    return Receipt(
        status=state, message_id=ID, reference=ID, code=code, provider_status=word, provider_code=number, occurred_at=1785598200000
    )


MO = {
    "messageId": "817790313235066447",
    "from": "447911123456",
    "to": "41793026785",
    "text": "STOP é",
    "cleanText": "é",
    "keyword": "STOP",
    "receivedAt": "2026-08-01T15:30:00.000+0000",
    "smsCount": 2,
    "price": {"pricePerMessage": 0, "currency": "EUR"},
    "callbackData": "x",
}
DELIVERED_REPORT = receipt(Status.DELIVERED, "DELIVERED_TO_HANDSET", "5")


class TestInfobip(ProviderRules):
    adapter = InfobipProvider
    samples = Samples(
        config=CONFIG,
        method="POST",
        url="https://xyz.api.infobip.com/sms/3/messages",
        headers={"Content-Type": "application/json", "Authorization": "App k3y-of-infobip"},
        body='{"messages":[{"sender":"ACME","destinations":[{"to":"447911123456","messageId":"0192f0c1-7d2a-7000-8000-00000000002a"}],'
        '"content":{"text":"Your code is 4711 & more: é=+%"},"options":{"validityPeriod":{"amount":3600,"timeUnit":"SECONDS"}},'
        '"webhooks":{"delivery":{"url":"https://sms.example/v1/callbacks/eu/token?m=0192f0c1-7d2a-7000-8000-00000000002a&a=1&s=5f2c",'
        '"intermediateReport":true,"notify":true},"contentType":"application/json"}}]}'.encode(),
        accepted={ID: sent(PENDING)},
        without_id=[
            sent(PENDING, messageId=None),
            sent(None),
            sent({"groupName": "NEW_GROUP", "id": 1000}),
            answer(200, {"bulkId": "b", "messages": []}),
        ],
        refusals=[
            Refusal(answer=rejected(6, "REJECTED_NETWORK"), outcome=Outcome.NOT_FOR_THIS_PROVIDER, code="route.none_available"),
            Refusal(answer=rejected(10, "REJECTED_DND"), outcome=Outcome.REFUSED, code="recipient.blocked"),
            Refusal(answer=rejected(12, "REJECTED_NOT_ENOUGH_CREDITS"), outcome=Outcome.MISCONFIGURED, code="provider.misconfigured"),
            Refusal(answer=rejected(13, "REJECTED_SENDER"), outcome=Outcome.NOT_FOR_THIS_PROVIDER, code="sender.not_allowed"),
            Refusal(answer=rejected(21, "REJECTED_SYSTEM_ERROR"), outcome=Outcome.UNKNOWN, code="provider.unknown_outcome"),
            Refusal(answer=rejected(23, "REJECTED_DUPLICATE_MESSAGE_ID"), outcome=Outcome.UNKNOWN, code="provider.unknown_outcome"),
            Refusal(answer=rejected(25, "REJECTED_MESSAGE_TOO_LONG"), outcome=Outcome.REFUSED, code="content.blocked"),
            Refusal(answer=rejected(52, "REJECTED_INVALID_DESTINATION"), outcome=Outcome.REFUSED, code="recipient.invalid_number"),
            Refusal(answer=rejected(999), outcome=Outcome.NOT_FOR_THIS_PROVIDER, code="route.none_available"),
            Refusal(answer=error(401, "E401"), outcome=Outcome.MISCONFIGURED, code="provider.misconfigured"),
            Refusal(answer=old_error(401, "UNAUTHORIZED"), outcome=Outcome.MISCONFIGURED, code="provider.misconfigured"),
            Refusal(answer=error(403, "E403"), outcome=Outcome.NOT_FOR_THIS_PROVIDER, code="route.none_available"),
            Refusal(answer=error(429, "E429"), outcome=Outcome.UNAVAILABLE, code="provider.throttled"),
            Refusal(answer=old_error(400, "BAD_REQUEST"), outcome=Outcome.NOT_FOR_THIS_PROVIDER, code="route.none_available"),
        ],
        balance_url="https://xyz.api.infobip.com/account/1/balance",
        balances=[(answer(200, {"balance": 47.79134, "currency": "EUR"}), Balance(amount=Decimal("47.79134"), currency="EUR"))],
        no_balance=[answer(200, {"currency": "EUR"})],
        error=error(400, "E400"),
        throttled=error(429, "E429", **{"retry-after": "7"}),
        unsigned=[
            Said(callback=push(result(DELIVERED)), events=[DELIVERED_REPORT]),
            Said(
                callback=push(
                    result(status(7, "PENDING_ENROUTE", "PENDING")),
                    17,
                    {"messageId": None, "status": DELIVERED},
                    result(status(9, "UNDELIVERABLE_NOT_DELIVERED", "UNDELIVERABLE"), failed(1), something="new"),
                ),
                events=[
                    receipt(Status.SENT, "PENDING_ENROUTE", "7"),
                    receipt(Status.UNDELIVERED, "UNDELIVERABLE_NOT_DELIVERED", "1", "recipient.invalid_number"),
                ],
            ),
            Said(
                callback=push(MO, messageCount=1, pendingMessageCount=0),
                events=[
                    Inbound(message_id="817790313235066447", sender=SMS.to, to="+41793026785", text="STOP é", segments=2,
                            received_at=1785598200000)
                ],
            ),
            Said(callback=push(messageCount=0, pendingMessageCount=0), events=[]),
        ],
        found={ID: answer(200, {"results": [result(PENDING, destination="447911123456")]})},
        not_found=[answer(200, {"results": []}), answer(200, {"results": [], "cursor": {}})],
        unmapped=push(result(status(1000, "TELEPORTED", "NEW_GROUP"))),
    )  # fmt: skip


def provider(**more: object) -> InfobipProvider:
    return InfobipProvider(InfobipConfig.model_validate({**CONFIG, **more}))


@pytest.mark.parametrize(
    ("state", "fault", "expected", "code"),
    [
        (status(3, "PENDING_WAITING_DELIVERY", "PENDING"), 0, Status.SENT, None),
        (status(2, "DELIVERED_TO_OPERATOR", "DELIVERED"), 0, Status.SENT, None),
        (DELIVERED, 0, Status.DELIVERED, None),
        (status(4, "UNDELIVERABLE_REJECTED_OPERATOR", "UNDELIVERABLE"), 13, Status.UNDELIVERED, "recipient.blocked"),
        (status(9, "UNDELIVERABLE_NOT_DELIVERED", "UNDELIVERABLE"), 5, Status.UNDELIVERED, "recipient.unreachable"),
        (EXPIRED, 0, Status.EXPIRED, "validity.expired"),
        (status(29, "EXPIRED_DLR_UNKNOWN", "EXPIRED"), 0, Status.UNKNOWN, "recipient.unreachable"),
        (status(14, "REJECTED_DESTINATION", "REJECTED"), 0, Status.UNDELIVERED, "recipient.blocked"),
        (status(12, "REJECTED_NOT_ENOUGH_CREDITS", "REJECTED"), 0, Status.UNDELIVERED, "provider.misconfigured"),
        (status(77, "NEW", "DELIVERED"), 0, Status.DELIVERED, None),
    ],
)
def test_reports_are_mapped(state, fault, expected, code):
    (found,) = provider().read(push(result(state, failed(fault))))
    assert (found.status, found.code, found.recognised) == (expected, code, True)


def test_every_report_code_is_in_the_catalogue():
    assert set(InfobipProvider.report_codes.values()) <= set(CATALOGUE)


def test_a_push_may_hold_a_hundred():
    assert len(provider().read(push(*[result(DELIVERED)] * 100))) == 100


async def test_a_message_that_has_failed_already_brings_its_report_along():
    accepted = await provider().send(SMS, Answers(sent(EXPIRED)))
    assert [each.status for each in accepted.receipts] == [Status.EXPIRED]
    assert accepted.segments == 1


async def test_a_look_up_says_what_has_become_of_it():
    exchange = Answers(answer(200, {"results": [result(DELIVERED)]}))
    accepted = await provider().look_up(ID, exchange)
    assert accepted.receipts == (DELIVERED_REPORT,)
    assert exchange.requests[0].url == f"https://xyz.api.infobip.com/sms/3/logs?messageId={ID}"
    assert exchange.requests[0].headers["Authorization"] == "App k3y-of-infobip"


POOR, DUPLICATE = status(12, "REJECTED_NOT_ENOUGH_CREDITS", "REJECTED"), status(23, "REJECTED_DUPLICATE_MESSAGE_ID", "REJECTED")


@pytest.mark.parametrize(
    "results",
    [
        [result(DELIVERED, messageId="another")],
        [result({})],
        [result(DUPLICATE)],
        [result(POOR), result(DUPLICATE)],
        [17],
        None,
    ],
)
async def test_a_look_up_never_guesses(results):
    with pytest.raises(SendError) as raised:
        await provider().look_up(ID, Answers(answer(200, {"results": results})))
    assert raised.value.outcome is Outcome.UNKNOWN


async def test_a_look_up_tells_what_was_rejected_from_what_was_taken():
    assert await provider().look_up(ID, Answers(answer(200, {"results": [result(POOR)]}))) is None
    for results in ([result(DUPLICATE), result(DELIVERED)], [result(DELIVERED), result(DUPLICATE)]):
        assert (await provider().look_up(ID, Answers(answer(200, {"results": results})))).receipts == (DELIVERED_REPORT,)


@pytest.mark.parametrize(
    ("sms", "code"), [(replace(SMS, sender=None), "sender.not_allowed"), (replace(SMS, text="lone \ud800"), "content.blocked")]
)
async def test_what_cannot_be_expressed_is_left_to_another(sms, code):
    exchange = Answers()
    with pytest.raises(SendError) as refused:
        await provider().send(sms, exchange)
    assert (refused.value.outcome, refused.value.code, exchange.requests) == (Outcome.NOT_FOR_THIS_PROVIDER, code, [])


@pytest.mark.parametrize(("validity", "amount"), [(0, 1), (1, 1), (172800, 172800), (604800, 172800)])
def test_validity_is_kept_within_what_infobip_takes(validity, amount):
    body = json.loads(provider().request_for(replace(SMS, validity=validity, callback_url=None)).body)
    assert body["messages"][0]["options"] == {"validityPeriod": {"amount": amount, "timeUnit": "SECONDS"}}
    assert "webhooks" not in body["messages"][0]


def test_the_vendors_models_read_what_is_sent_as_it_is_meant():
    (message,) = SmsRequest.from_json(provider().request_for(SMS).body.decode()).messages
    assert (message.sender, message.destinations[0].to, message.destinations[0].message_id) == ("ACME", "447911123456", ID)
    assert message.content.actual_instance.text == SMS.text
    assert (message.options.validity_period.amount, message.options.validity_period.time_unit) == (3600, "SECONDS")
    assert (message.webhooks.delivery.url, message.webhooks.delivery.intermediate_report) == (SMS.callback_url, True)


def test_the_samples_are_what_the_vendors_models_read():
    assert SmsResponse.from_json(sent(PENDING).text).messages[0].message_id == ID
    assert SmsDeliveryResult.from_json(push(result(DELIVERED)).body.decode()).results[0].status.id == 5
    assert SmsInboundMessageResult.from_json(push(MO, messageCount=1).body.decode()).results[0].text == "STOP é"
    log = {key: value for key, value in result(PENDING, destination="447911123456").items() if key != "to"}
    assert SmsLogsResponse.from_json(json.dumps({"results": [log]})).results[0].message_id == ID
