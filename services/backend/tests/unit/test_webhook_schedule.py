"""When webhooks are tried again, and how they are signed."""

import base64
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from sms_backend.core.signatures import signature
from sms_backend.pipeline.outlet import Answer
from sms_backend.pipeline.webhook_schedule import CLOSED, DELAYS, Verdict, judge, retry_after

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def verdict(status: int | None = None, *, step: int = 0, reason: str | None = None, wait: str | None = None) -> Verdict:
    return judge(Answer(seconds=0.1, status=status, reason=reason, retry_after=wait), step=step, now=NOW, rng=Random(1))


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_2xx_is_success(status: int) -> None:
    assert verdict(status) == Verdict(reason=None, state="delivered", step=1)


@pytest.mark.parametrize(("status", "reason"), [(301, "http_3xx"), (404, "http_4xx"), (500, "http_5xx"), (103, "http_1xx")])
def test_anything_else_is_tried_again(status: int, reason: str) -> None:
    found = verdict(status)
    assert (found.reason, found.state, found.step) == (reason, "pending", 1)


def test_ten_tries_at_the_times_that_are_promised() -> None:
    assert DELAYS == (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    for step, delay in enumerate(DELAYS):
        found = verdict(reason="timeout", step=step)
        assert found.next_after is not None
        assert 0.9 * delay <= found.next_after <= 1.1 * delay
    assert verdict(reason="timeout", step=9) == Verdict(reason="timeout", state="failed", step=10)


def test_gone_and_disabled_end_it() -> None:
    assert verdict(410) == Verdict(reason="gone", state="failed", step=1, gone=True)
    assert verdict(reason=CLOSED).state == "failed"


def test_retry_after_is_respected_and_bounded() -> None:
    assert verdict(429, wait="120").next_after == 120
    assert verdict(503, wait="99999999").next_after == 86400
    assert (verdict(429, wait="1").next_after or 0) >= 4
    # Of an answer that is not about load it says nothing.
    assert (verdict(404, wait="120").next_after or 0) < 6
    assert retry_after(format_datetime(NOW + timedelta(seconds=90), usegmt=True), NOW) == 90
    assert retry_after(format_datetime(NOW - timedelta(seconds=90), usegmt=True), NOW) == 0
    for oddity in ("", "soon", "-5", "1e9", "²"):
        assert retry_after(oddity, NOW) == 0


def test_the_published_vector() -> None:
    value = signature(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        webhook_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
    )
    assert value == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_either_secret_verifies_with_the_published_library() -> None:
    old, new, other = ("whsec_" + base64.b64encode(letter * 32).decode() for letter in (b"o", b"n", b"x"))
    body = json.dumps({"type": "message.sent"}).encode()
    now = int(datetime.now(UTC).timestamp())
    headers = {
        "webhook-id": "1",
        "webhook-timestamp": str(now),
        "webhook-signature": signature([new, old], webhook_id="1", timestamp=now, body=body),
    }
    for secret in (old, new):
        assert Webhook(secret).verify(body, headers) == {"type": "message.sent"}
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(body, headers)
