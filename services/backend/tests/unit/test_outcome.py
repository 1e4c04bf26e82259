"""The state machine that sums attempts up: forward only, whatever the order of reports."""

from dataclasses import dataclass
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_backend.messages.outcome import later, reported, summed_up
from sms_contract.status import FINAL, Status


@dataclass
class Attempt:
    outcome: str = "accepted"
    report: str | None = None


REPORTS = [Status.SENT, Status.DELIVERED, Status.UNDELIVERED, Status.EXPIRED]


def hear(status: Status, attempt: Attempt, report: Status) -> Status:
    if later(attempt.report, report):
        attempt.report = report
        if attempt.outcome in {"started", "unknown"}:
            attempt.outcome = "accepted"
    return summed_up(status, [attempt]) or status


@pytest.mark.parametrize("order", sorted(set(permutations([Status.SENT, Status.DELIVERED] * 2))))
def test_any_order_of_doubled_reports_ends_delivered(order: tuple[Status, ...]) -> None:
    status, attempt = Status.SENDING, Attempt("started")
    for report in order:
        status = hear(status, attempt, report)
    assert status is Status.DELIVERED


@given(st.lists(st.sampled_from(REPORTS), max_size=8), st.sampled_from(["started", "unknown", "accepted"]))
def test_a_final_status_never_changes(reports: list[Status], outcome: str) -> None:
    status, attempt = Status.SENDING, Attempt(outcome)
    ended: Status | None = None
    for report in reports:
        status = hear(status, attempt, report)
        if ended is not None:
            assert status is ended
        if status in FINAL:
            ended = status


@pytest.mark.parametrize(
    ("before", "attempts", "after"),
    [
        (Status.UNKNOWN, [Attempt(report="delivered")], Status.DELIVERED),
        (Status.UNKNOWN, [Attempt(report="undelivered")], Status.UNDELIVERED),
        (Status.UNKNOWN, [Attempt(report="expired")], Status.UNDELIVERED),
        (Status.UNKNOWN, [Attempt(report="sent")], None),
        (Status.DELIVERED, [Attempt(report="undelivered")], None),
        (Status.CANCELED, [Attempt(report="delivered")], None),
        (Status.SENDING, [Attempt("unknown"), Attempt(report="undelivered")], None),
        (Status.SENDING, [Attempt("unknown"), Attempt(report="delivered")], Status.DELIVERED),
        (Status.SENDING, [Attempt(report="undelivered"), Attempt("started")], None),
        (Status.SENDING, [Attempt(report="undelivered"), Attempt("accepted")], Status.SENT),
        (Status.QUEUED, [Attempt(report="undelivered"), Attempt("unavailable")], Status.UNDELIVERED),
        (Status.SENT, [Attempt(report="expired")], Status.EXPIRED),
        (Status.SENT, [Attempt(report="sent")], None),
    ],
)
def test_the_sum_of_attempts(before: Status, attempts: list[Attempt], after: Status | None) -> None:
    assert summed_up(before, attempts) is after


def test_whatever_a_vendor_calls_a_no_after_its_yes_it_is_undelivered() -> None:
    assert {reported(s) for s in (Status.FAILED, Status.REJECTED, Status.CANCELED)} == {Status.UNDELIVERED}
    assert reported(Status.UNKNOWN) is None
