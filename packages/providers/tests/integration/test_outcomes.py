"""Each adapter, the transport and its vendor's simulator together: what the vendor does, what we call it, and what the ledger says."""

from dataclasses import replace
from decimal import Decimal

import pytest

from sms_contract.segments import Encoding
from sms_contract.status import Status
from sms_providers.errors import Outcome, SendError
from sms_providers.sending import Job, send_many
from sms_providers.testing import SMS
from sms_providers.transport import Transport
from sms_providers.types import Inbound, Verification

COMMON = [
    ({}, Outcome.ACCEPTED, 1),
    ({"action": "refuse", "http_status": 429, "retry_after": 2}, Outcome.UNAVAILABLE, 0),
    ({"action": "refuse", "http_status": 401}, Outcome.MISCONFIGURED, 0),
    ({"action": "refuse", "http_status": 500}, Outcome.UNKNOWN, 0),
    ({"action": "refuse", "http_status": 503}, Outcome.UNAVAILABLE, 0),
    ({"action": "silence"}, Outcome.UNKNOWN, 0),
    ({"action": "reset"}, Outcome.UNKNOWN, 0),
    ({"action": "accept_then_silence"}, Outcome.UNKNOWN, 1),
    ({"action": "accept_then_reset"}, Outcome.UNKNOWN, 1),
    ({"action": "accept_then_500"}, Outcome.UNKNOWN, 1),
    ({"action": "malformed_2xx"}, Outcome.UNKNOWN, 1),
    ({"action": "no_id_2xx"}, Outcome.UNKNOWN, 1),
]


BALANCES = {
    "vonage": (Decimal("12.5"), "EUR"),
    "telnyx": (Decimal("12.5"), "USD"),
    "infobip": (Decimal("12.5"), "EUR"),
    "plivo": (Decimal("12.5"), "USD"),
    "kavenegar": (Decimal(12), "IRR"),
    "magfa": (Decimal("12.5"), None),
}
ASKED_FOR_ITS_BALANCE = pytest.mark.parametrize("lab", BALANCES, indirect=True)
PUSHING = pytest.mark.parametrize("lab", ["vonage", "telnyx", "infobip", "sinch", "plivo", "kannel"], indirect=True)


@pytest.mark.parametrize(("rule", "outcome", "there"), COMMON)
async def test_what_the_vendor_does_and_what_we_call_it(lab, rule, outcome, there):
    await lab.behave(rules=[rule])
    result = await lab.send(read=0.4)
    left_open = outcome is Outcome.UNAVAILABLE and rule["http_status"] == 503 and not lab.provider().busy_is_clear
    assert result.outcome is (Outcome.UNKNOWN if left_open else outcome)
    assert await lab.accepted() == there


async def test_each_documented_refusal_has_its_outcome(lab):
    await lab.behave(rules=[{**rule, "to": [f"+44791112{index:04}"]} for index, (rule, _) in enumerate(lab.vendor.refusals)])
    for index, (rule, outcome) in enumerate(lab.vendor.refusals):
        result = await lab.send(replace(SMS, to=f"+44791112{index:04}", reference=f"r-{index}", callback_url=None))
        assert (result.outcome, result.error.provider_code) == (outcome, str(rule["code"]))
    assert await lab.accepted() == 0


async def test_wrong_credentials_stop_the_account(lab):
    secret = next(name for name, value in lab.vendor.config.items() if value == lab.token)
    async with Transport() as transport:
        (result,) = await send_many([Job(provider=lab.provider(**{secret: "old"}), sms=replace(SMS, callback_url=None))], transport)
    assert (result.outcome, result.error.opens_circuit) == (Outcome.MISCONFIGURED, True)


async def test_the_ledger_holds_what_was_meant(lab):
    text = "é 日 & more"
    await lab.send(replace(SMS, sender="+15551234567", validity=120, text=text, encoding=Encoding.UCS2, callback_url=None))
    async with lab.http.get(f"{lab.simulator.url}/control/ledger") as response:
        (entry,) = (await response.json())["entries"]
    assert (entry["to"], entry["from"].removeprefix("+"), entry["body"]) == (SMS.to, "15551234567", text)
    if lab.provider().capabilities.validity:
        assert entry["validity"] in {119, 120}
    if lab.provider().capabilities.client_reference:
        assert entry["reference"] == lab.reference()


async def test_a_long_message_is_counted_as_the_vendor_counts(lab):
    result = await lab.send(replace(SMS, text="x" * 161, segments=2, callback_url=None))
    assert result.accepted.segments in {2, None}
    if lab.vendor.slug == "vonage":
        assert len(result.accepted.part_ids) == 2


@PUSHING
@pytest.mark.parametrize(
    ("reports", "forged"), [({}, False), ({"forged": 1}, True), ({"unsigned": True}, True)], ids=["signed", "forged", "unsigned"]
)
async def test_its_reports_are_verified_and_read(lab, reports, forged):
    await lab.behave(reports=reports)
    per_message = lab.provider().capabilities.callback_per_message
    url = f"{lab.url}?m=1&a=1&s=2"
    result = await lab.send(replace(SMS, callback_url=url if per_message else None))
    expected = (Verification.FORGED if forged else Verification.SIGNED) if lab.vendor.signed else Verification.UNSIGNED
    for status in lab.vendor.statuses:
        callback = await lab.posted()
        assert callback.url.startswith(url if per_message else lab.url)
        assert lab.provider().verify(callback) is expected
        (receipt,) = lab.provider().read(callback)
        assert (receipt.status, receipt.message_id, receipt.recognised) == (
            status,
            None if lab.vendor.slug == "kannel" else result.accepted.message_id,
            True,
        )
        if lab.provider().capabilities.client_reference:
            assert receipt.reference == SMS.reference


@pytest.mark.parametrize("lab", ["vonage", "telnyx", "infobip", "sinch"], indirect=True)
@pytest.mark.parametrize(
    ("word", "status"), [("undelivered", Status.UNDELIVERED), ("expired", Status.EXPIRED), ("unknown", Status.UNKNOWN)]
)
async def test_what_did_not_arrive(lab, word, status):
    await lab.behave(reports={"statuses": [{"status": word}]})
    await lab.send(replace(SMS, callback_url=lab.url))
    (receipt,) = lab.provider().read(await lab.posted())
    assert (receipt.status, receipt.recognised) == (status, True)


@pytest.mark.parametrize("method", ["GET", "POST", "POST-JSON"])
@pytest.mark.parametrize("algorithm", ["md5hash", "md5", "sha1", "sha256", "sha512"])
@pytest.mark.parametrize("lab", ["vonage"], indirect=True)
async def test_vonage_signs_in_five_ways_and_reports_in_three(lab, method, algorithm):
    lab.vendor.settings.update(signature_method=algorithm, report_method=method)
    try:
        await lab.behave()
        await lab.send(replace(SMS, text="x" * 161))
        for _ in range(4):
            callback = await lab.posted()
            assert lab.provider(signature_method=algorithm).verify(callback) is Verification.SIGNED
            (receipt,) = lab.provider().read(callback)
            assert receipt.reference == SMS.reference
    finally:
        for name in ("signature_method", "report_method"):
            del lab.vendor.settings[name]


@PUSHING
@pytest.mark.parametrize("forged", [False, True])
async def test_people_write_in(lab, forged):
    message = {"from": SMS.to, "to": "+15551234567", "text": "Stop é", "url": lab.url, "forged": forged}
    async with lab.http.post(f"{lab.simulator.url}/control/accounts/{lab.vendor.sid}/inbound", json=message) as response:
        assert (await response.json()) == {"status": 204}
    callback = await lab.posted()
    expected = (Verification.FORGED if forged else Verification.SIGNED) if lab.vendor.signed else Verification.UNSIGNED
    assert lab.provider().verify(callback) is expected
    (event,) = lab.provider().read(callback)
    assert isinstance(event, Inbound)
    assert (event.sender, event.to, event.text) == (SMS.to, "+15551234567", "Stop é")


LOOKED_UP = pytest.mark.parametrize("lab", ["infobip", "sinch", "kavenegar", "magfa"], indirect=True)


@LOOKED_UP
async def test_what_was_taken_without_an_answer_is_found_by_our_reference(lab):
    await lab.behave(rules=[{"action": "accept_then_reset"}])
    assert (await lab.send()).outcome is Outcome.UNKNOWN
    async with lab.http.get(f"{lab.simulator.url}/control/ledger") as response:
        (entry,) = (await response.json())["entries"]
    found = await lab.look_up()
    assert found.message_id == entry["sid"]


@LOOKED_UP
async def test_what_was_never_taken_is_not_found(lab):
    await lab.behave(rules=[{"action": "reset"}])
    assert (await lab.send()).outcome is Outcome.UNKNOWN
    assert await lab.look_up() is None


@ASKED_FOR_ITS_BALANCE
async def test_what_is_left_in_the_account_can_be_asked(lab):
    await lab.behave(balance=12.5)
    balance = await lab.balance()
    assert (balance.amount, balance.currency) == BALANCES[lab.vendor.slug]


@ASKED_FOR_ITS_BALANCE
async def test_a_balance_that_is_not_told_is_an_error_about_the_question(lab):
    await lab.behave(balance=None)
    with pytest.raises(SendError):
        await lab.balance()
    await lab.behave(auth_token="other")
    with pytest.raises(SendError) as refused:
        await lab.balance()
    assert refused.value.outcome is Outcome.MISCONFIGURED


@pytest.mark.parametrize("lab", ["infobip"], indirect=True)
async def test_infobip_takes_an_id_once_and_the_look_up_tells_what_it_was(lab):
    rules = [
        {"action": "accept_then_500", "to": [SMS.to], "first": 1},
        {"action": "refuse", "code": 12, "to": ["+15005550006"], "first": 1},
    ]
    await lab.behave(rules=rules)
    poor = replace(SMS, to="+15005550006", reference="r-2", callback_url=None)
    assert [(await lab.send()).outcome, (await lab.send()).outcome] == [Outcome.UNKNOWN, Outcome.UNKNOWN]
    assert [(await lab.send(poor)).outcome, (await lab.send(poor)).outcome] == [Outcome.MISCONFIGURED, Outcome.UNKNOWN]
    assert await lab.accepted() == 1
    assert (await lab.look_up()).message_id == SMS.reference
    assert await lab.look_up("r-2") is None


@pytest.mark.parametrize(
    ("lab", "word", "status", "code"),
    [
        ("plivo", "failed", Status.UNDELIVERED, "1000"),
        ("plivo", "expired", Status.EXPIRED, "420"),
        ("kannel", "queued", Status.SENT, None),
        ("kannel", "undelivered", Status.UNDELIVERED, "034"),
        ("kannel", "failed", Status.UNDELIVERED, None),
    ],
    indirect=["lab"],
)
async def test_what_did_not_arrive_by_plivo_and_kannel(lab, word, status, code):
    await lab.behave(reports={"statuses": [{"status": word}]})
    await lab.send(replace(SMS, callback_url=f"{lab.url}?m=1&a=%20"))
    callback = await lab.posted()
    assert callback.query["a"] == " "
    (receipt,) = lab.provider().read(callback)
    assert (receipt.status, receipt.provider_code, receipt.recognised) == (status, code, True)


@pytest.mark.parametrize("lab", ["plivo"], indirect=True)
async def test_plivo_reports_each_part(lab):
    result = await lab.send(replace(SMS, text="x" * 161, callback_url=lab.url))
    parts = set()
    for _ in range(4):
        (receipt,) = lab.provider().read(await lab.posted())
        assert receipt.message_id == result.accepted.message_id
        parts.add((receipt.part.index, receipt.part.total, receipt.status))
    assert parts == {(index, 2, status) for index in (1, 2) for status in (Status.SENT, Status.DELIVERED)}


POLLED = pytest.mark.parametrize("lab", ["kavenegar", "magfa"], indirect=True)


@POLLED
async def test_reports_that_have_to_be_asked_for(lab):
    rules = [
        {"reports": {"statuses": [{"status": "undelivered"}]}, "to": ["+447911120001"]},
        {"reports": {"statuses": [{"status": "sent"}]}, "to": ["+447911120002"]},
        {"reports": {"statuses": [{"status": "delivered", "delay": 60}]}, "to": ["+447911120003"]},
    ]
    await lab.behave(rules=rules)
    sent = [await lab.send(replace(SMS, to=f"+44791112000{number}", reference=f"r-{number}")) for number in range(4)]
    ids = [result.accepted.message_id for result in sent]
    receipts = await lab.poll([*ids, "17"])
    expected = {ids[0]: Status.DELIVERED, ids[1]: Status.UNDELIVERED, ids[2]: Status.SENT}
    if lab.vendor.slug == "kavenegar":
        expected[ids[3]] = Status.SENT  # queued; Magfa says nothing of it
    assert {receipt.message_id: receipt.status for receipt in receipts} == expected


@pytest.mark.parametrize("lab", ["kavenegar"], indirect=True)
async def test_kavenegar_takes_back_what_is_queued(lab):
    rules = [{"reports": {"statuses": [{"status": "delivered", "delay": 60}]}, "to": [SMS.to], "first": 1}]
    await lab.behave(rules=rules)
    queued, gone = await lab.send(), await lab.send(replace(SMS, reference="r-2"))
    async with Transport() as transport:
        exchange = transport.exchange_for("eu")
        assert await lab.provider().cancel(queued.accepted.message_id, exchange)
        assert not await lab.provider().cancel(gone.accepted.message_id, exchange)
