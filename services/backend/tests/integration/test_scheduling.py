"""`send_at` and `validity_period`: not before the one, never after the other."""

import time
from collections.abc import Callable, Iterable
from datetime import timedelta

import pytest
from django.db.models import F

from sms_backend.messages import claim, sweep
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.models import Message, QuotaUsage
from sms_backend.pipeline.dispatch import dispatch
from sms_backend.pipeline.persist import persist
from sms_backend.routing.models import Provider
from sms_contract.envelope import Submission

Make = Callable[..., Submission]
HOUR = 3_600_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def message(made: Submission) -> Message:
    return Message.objects.get(id=made.tracking_id)


def let_pass(made: Submission, **span: float) -> None:
    """As if that much time had passed for a message."""
    moments = ("send_at", "next_attempt_at", "expires_at")
    Message.objects.filter(id=made.tracking_id).update(**{name: F(name) - timedelta(**span) for name in moments})


def due() -> Iterable[str]:
    with hot_cursor() as cursor:
        return [str(row.id) for row in claim.due(cursor, lane="transactional", limit=10, now_ms=now_ms())]


def lanes() -> list[str]:
    with hot_cursor() as cursor:
        return sweep.lanes_due(cursor)


@pytest.mark.parametrize("days", [0.04, 30])
def test_a_scheduled_message_is_claimed_from_its_moment_on(stored: Make, days: float) -> None:
    at = now_ms() + int(days * 24 * HOUR)
    made = stored(send_at=at, expires_at=at + 72 * HOUR)
    assert (message(made).status, message(made).next_attempt_at) == ("scheduled", message(made).send_at)
    assert (due(), lanes()) == ([], [])
    let_pass(made, days=days, seconds=1)
    assert (due(), lanes()) == ([made.tracking_id], ["transactional"])


def test_it_is_sent_when_it_is_due(stored: Make, test_provider: Provider) -> None:
    made = stored(send_at=now_ms() + HOUR, expires_at=now_ms() + 2 * HOUR)
    assert dispatch("transactional", until=0) == 0
    let_pass(made, hours=1)
    assert dispatch("transactional", until=0) == 1
    assert message(made).status in {"sent", "delivered"}


def test_a_moment_that_has_passed_by_now_is_no_schedule(stored: Make) -> None:
    made = stored(send_at=now_ms() - 1000)
    assert message(made).status == "queued"
    assert due() == [made.tracking_id]


def test_validity_counts_from_the_moment_chosen(stored: Make) -> None:
    at = now_ms() + HOUR
    made = stored(send_at=at, expires_at=at + 60_000, charged_day="20261123", segments=3)
    let_pass(made, minutes=59)
    assert persist(lambda cursor: sweep.expired(cursor, limit=10)) == 0
    let_pass(made, minutes=2, seconds=1)
    assert due() == []
    assert persist(lambda cursor: sweep.expired(cursor, limit=10)) == 1
    assert (message(made).status, message(made).error_code, message(made).attempts) == ("expired", "validity.expired", 0)
    assert QuotaUsage.objects.get().used == 0


def test_what_was_too_late_when_it_came_is_never_sent(stored: Make, test_provider: Provider) -> None:
    made = stored(expires_at=now_ms() - 1)
    assert dispatch("transactional", until=0) == 0
    persist(lambda cursor: sweep.expired(cursor, limit=10))
    assert (message(made).status, message(made).attempts) == ("expired", 0)


def test_the_one_that_was_due_first_goes_first(stored: Make) -> None:
    early = stored(send_at=now_ms() + HOUR, expires_at=now_ms() + 9 * HOUR)
    late = stored()
    let_pass(early, hours=2)
    assert due() == [early.tracking_id, late.tracking_id]
