"""A backlog of 50,000 delays nobody else: neither what is more urgent nor another client."""

import time
from collections.abc import Callable

import pytest
from django.db import connection

from sms_backend.accounts.models import Client
from sms_backend.messages.models import Message
from sms_backend.pipeline.dispatch import dispatch, dispatch_once
from sms_contract.envelope import Submission

BACKLOG = 50_000
Live = Callable[..., Submission]

#: Rows such as intake stores, from a row that is there; their ids lie in the same week.
_MULTIPLY = """
INSERT INTO messages
SELECT (jsonb_populate_record(m, jsonb_build_object('id',
    substring(m.id::text, 1, 24) || lpad(to_hex(n), 12, '0')))).*
FROM messages m, generate_series(1, %s) AS n WHERE m.id = %s
"""


def multiply(made: Submission) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_MULTIPLY, (BACKLOG - 1, made.tracking_id))
        cursor.execute("ANALYZE messages")


def message(made: Submission) -> Message:
    return Message.objects.get(id=made.tracking_id)


def wait_of(made: Submission) -> float:
    found = message(made)
    assert found.sent_at is not None
    return (found.sent_at - found.stored_at).total_seconds()


def test_an_otp_behind_a_promotional_backlog_goes_out_within_a_second(vendor, live: Live) -> None:
    vendor.add("alpha")
    multiply(live(traffic_type="promotional"))
    dispatch_once("promotional")
    urgent = live(traffic_type="otp")
    # The worker that is at the backlog; those that `otp` has for itself would be sooner.
    dispatch("promotional", until=0)
    assert wait_of(urgent) < 1
    assert Message.objects.filter(lane="promotional", status="queued").count() > BACKLOG / 2


@pytest.mark.parametrize("lane", ["transactional", "promotional"])
def test_another_client_behind_a_backlog_waits_at_most_twice_as_long(vendor, live: Live, lane: str) -> None:
    vendor.add("alpha")
    Client.objects.create(id="c0ffee000002", name="bank")
    alone = [live(client="c0ffee000002", traffic_type=lane) for _ in range(50)]
    began = time.monotonic()
    dispatch(lane, until=0)
    usual = time.monotonic() - began
    assert all(message(each).status == "sent" for each in alone)
    multiply(live(traffic_type=lane))
    dispatch_once(lane)
    behind = [live(client="c0ffee000002", traffic_type=lane) for _ in range(50)]
    claims = 0
    while any(message(each).status != "sent" for each in behind):
        dispatch_once(lane)
        claims += 1
    # In claims, which is what one waits for: one alone, so two at most; a clock on a busy machine would only add noise.
    assert claims <= 2
    assert usual < 1
    assert Message.objects.filter(client_id="c0ffee000001", status="queued").count() > BACKLOG / 2
