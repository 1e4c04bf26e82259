"""Callbacks from the raw table to their messages, with Twilio's signature over the URL that we gave it."""

import base64
import hashlib
import hmac
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID

import pytest
from django.db import connections

from sms_backend.accounts.models import Client
from sms_backend.core.crypto import seal
from sms_backend.messages import claim
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.models import Message, RawCallback, Receipt
from sms_backend.messages.settle import Settlement, settle
from sms_backend.pipeline import reports
from sms_backend.pipeline.adapters import adapters
from sms_backend.pipeline.persist import persist
from sms_backend.pipeline.receive import receive_all
from sms_backend.pipeline.reports import adopt_orphans
from sms_backend.routing.callback_urls import account_url, attempt_url
from sms_backend.routing.models import Provider
from sms_contract.envelope import Submission
from sms_contract.ids import uuid7
from sms_contract.status import Status

SID, TOKEN = "AC" + "a" * 32, "token"
Make = Callable[..., Submission]
Post = Callable[..., UUID]
OutOfSight = Callable[[str], AbstractContextManager[None]]


@pytest.fixture
def alpha() -> Provider:
    config = seal({"account_sid": SID, "auth_token": TOKEN, "base_url": "http://127.0.0.1:1"})
    return Provider.objects.create(slug="alpha", adapter="twilio", config=config)


@pytest.fixture
def post(alpha: Provider) -> Post:
    """A callback of Twilio's in the raw table, signed as `twilio.request_validator` does."""

    def put(fields: dict[str, str], *, url: str, token: str = TOKEN) -> UUID:
        signed = url + "".join(name + fields[name] for name in sorted(fields))
        signature = base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()
        now = time.time_ns() // 1_000_000
        parts = urlsplit(url)
        raw = RawCallback.objects.create(
            id=uuid7(now),
            provider="alpha",
            method="POST",
            path="/v1/callbacks/alpha",
            query=parts.query,
            headers=[["Content-Type", "application/x-www-form-urlencoded"], ["X-Twilio-Signature", signature]],
            body=urlencode(fields).encode(),
            received_at=datetime.fromtimestamp(now / 1000, UTC),
        )
        return UUID(str(raw.id))

    return put


def sent(made: Submission, *, answered: bool = True) -> claim.Start:
    with hot_cursor() as cursor:
        (row,) = claim.due(cursor, lane="transactional", limit=10, now_ms=time.time_ns() // 1_000_000)
        start = claim.Start(message=row, provider="alpha", decision={})
        claim.start(cursor, [start], lease=60)
    if answered:
        answer(start)
    return start


def answer(start: claim.Start) -> None:
    accepted: dict[str, Any] = {"outcome": "accepted", "status": Status.SENT, "provider": "alpha", "provider_message_id": "SM1"}
    settlement = Settlement(message_id=start.message.id, number=1, round=0, tried=(), unsuitable=(), **accepted)
    persist(lambda cursor: settle(cursor, [settlement]))


def message(made: Submission) -> Message:
    return Message.objects.get(id=made.tracking_id)


def report(status: str, **more: str) -> dict[str, str]:
    return {"MessageSid": "SM1", "MessageStatus": status, "AccountSid": SID} | more


def all_received() -> int:
    return receive_all(until=time.monotonic() + 10)


def test_a_signed_report_is_applied_once(stored: Make, client: Client, alpha: Provider, post: Post) -> None:
    made = stored()
    sent(made)
    url = attempt_url("alpha", alpha.callback_token, made.tracking_id, 1)
    for _ in range(2):
        post(report("delivered"), url=url)
    assert all_received() == 2
    assert (message(made).status, message(made).version) == ("delivered", 4)
    assert Receipt.objects.filter(applied_at__isnull=False).count() == 2


def test_a_report_with_a_wrong_signature_moves_nothing(stored: Make, client: Client, alpha: Provider, post: Post) -> None:
    made = stored()
    sent(made)
    post(report("delivered"), url=attempt_url("alpha", alpha.callback_token, made.tracking_id, 1), token="guessed")
    all_received()
    assert message(made).status == "sent"
    assert RawCallback.objects.get().verdict == "forged"


def test_a_report_before_the_answer_finds_its_attempt_by_the_url(stored: Make, client: Client, alpha: Provider, post: Post) -> None:
    made = stored()
    start = sent(made, answered=False)
    post(report("delivered"), url=attempt_url("alpha", alpha.callback_token, made.tracking_id, 1))
    all_received()
    assert message(made).status == "delivered"
    answer(start)
    assert (message(made).status, message(made).provider_message_id) == ("delivered", "SM1")


def test_a_report_that_matches_nothing_yet_is_kept_and_matched_later(stored: Make, client: Client, alpha: Provider, post: Post) -> None:
    made = stored()
    start = sent(made, answered=False)
    post(report("undelivered", ErrorCode="30005"), url=account_url("alpha", alpha.callback_token))
    all_received()
    assert message(made).status == "sending"
    answer(start)
    assert persist(lambda cursor: adopt_orphans(cursor, limit=10)) == 1
    assert (message(made).status, message(made).error_provider_code) == ("undelivered", "30005")
    assert persist(lambda cursor: adopt_orphans(cursor, limit=10)) == 0


@pytest.mark.parametrize("of_one_message", [True, False])
def test_a_report_on_a_message_that_is_out_of_sight_is_kept_until_it_is_back(
    stored: Make, client: Client, alpha: Provider, post: Post, out_of_sight: OutOfSight, *, of_one_message: bool
) -> None:
    """As while an operator has its partition detached: counted as applied, it would be lost to a message that is `sent` for good."""
    made = stored()
    sent(made)
    url = attempt_url("alpha", alpha.callback_token, made.tracking_id, 1)
    post(report("delivered"), url=url if of_one_message else account_url("alpha", alpha.callback_token))
    with out_of_sight(made.tracking_id):
        all_received()
        assert persist(lambda cursor: adopt_orphans(cursor, limit=10)) == 0
        assert not Receipt.objects.filter(applied_at__isnull=False).exists()
    assert persist(lambda cursor: adopt_orphans(cursor, limit=10)) == 1
    assert message(made).status == "delivered"
    assert not Receipt.objects.filter(applied_at__isnull=True).exists()


def test_no_report_takes_a_final_status_back(stored: Make, client: Client, alpha: Provider, post: Post) -> None:
    made = stored()
    sent(made)
    url = attempt_url("alpha", alpha.callback_token, made.tracking_id, 1)
    for status in ("delivered", "sent", "undelivered", "failed"):
        post(report(status), url=url)
        all_received()
        assert message(made).status == "delivered"


def test_a_url_made_for_one_message_moves_no_other(stored: Make, client: Client, alpha: Provider, post: Post) -> None:
    made = stored()
    sent(made)
    url = attempt_url("alpha", alpha.callback_token, made.tracking_id, 1).replace("a=1", "a=2")
    post(report("delivered", MessageSid="SM-of-nobody"), url=url)
    all_received()
    assert message(made).status == "sent"


def test_a_report_for_an_account_that_is_a_moment_old_counts(stored: Make, client: Client, alpha: Provider, post: Post) -> None:
    made = stored()
    sent(made)
    Provider.objects.filter(slug="alpha").delete()
    adapters.forget()
    assert not adapters.has("alpha")
    # This process has just read the table, and goes on with what it read; the account has come since.
    alpha.save(force_insert=True)
    post(report("delivered"), url=attempt_url("alpha", alpha.callback_token, made.tracking_id, 1))
    all_received()
    assert message(made).status == "delivered"


def test_two_who_judge_side_by_side_hear_what_came_first(
    stored: Make, alpha: Provider, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stored()
    sent(made)
    url = attempt_url("alpha", adapters.callback_token("alpha"), made.tracking_id, 1)
    post(report("delivered"), url=url)
    match, others = reports.match, []

    def another() -> None:
        post(report("failed"), url=url)
        others.append(receive_all(until=time.monotonic()))
        connections.close_all()

    def matching(*arguments: Any, **how: Any) -> None:
        # The first has taken what is due, and has not come to the message yet.
        if not others:
            thread = threading.Thread(target=another)
            thread.start()
            thread.join()
        match(*arguments, **how)

    monkeypatch.setattr(reports, "match", matching)
    assert receive_all(until=time.monotonic()) == 1
    assert others == [0]
    assert receive_all(until=time.monotonic()) == 1
    assert message(made).status == "delivered"
