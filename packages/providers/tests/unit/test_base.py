"""What all HTTP adapters have in common: which answer is which outcome, and what never shows."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_providers.adapters.twilio import TwilioConfig, TwilioProvider
from sms_providers.base import form_body
from sms_providers.errors import Fault, Outcome
from sms_providers.types import HttpAnswer

provider = TwilioProvider(TwilioConfig(account_sid="AC1", auth_token="s3cr3t"))
PAGE = b"<html>no</html>"


def rejection(status, **headers):
    return provider.rejection(HttpAnswer(status=status, body=PAGE, headers={k.replace("_", "-"): v for k, v in headers.items()}))


@pytest.mark.parametrize(
    ("status", "outcome", "code"),
    [
        (301, Outcome.MISCONFIGURED, "provider.misconfigured"),
        (302, Outcome.UNKNOWN, "provider.unknown_outcome"),
        (303, Outcome.UNKNOWN, "provider.unknown_outcome"),
        (308, Outcome.MISCONFIGURED, "provider.misconfigured"),
        (400, Outcome.UNKNOWN, "provider.unknown_outcome"),
        (401, Outcome.MISCONFIGURED, "provider.misconfigured"),
        (402, Outcome.MISCONFIGURED, "provider.misconfigured"),
        (403, Outcome.NOT_FOR_THIS_PROVIDER, "route.none_available"),
        (404, Outcome.MISCONFIGURED, "provider.misconfigured"),
        (408, Outcome.UNKNOWN, "provider.unknown_outcome"),
        (413, Outcome.REFUSED, "content.blocked"),
        (429, Outcome.UNAVAILABLE, "provider.throttled"),
        (500, Outcome.UNKNOWN, "provider.unknown_outcome"),
        (503, Outcome.UNAVAILABLE, "provider.unavailable"),
        (504, Outcome.UNKNOWN, "provider.unknown_outcome"),
        (100, Outcome.UNKNOWN, "provider.unknown_outcome"),
    ],
)
def test_an_answer_without_the_vendors_words_is_judged_by_its_status(status, outcome, code):
    error = rejection(status)
    assert (error.outcome, error.code, error.provider_code) == (outcome, code, None)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0), ("7", 7), (" 7 ", 7), ("999999", 3600), ("", None), ("soon", None), ("-1", None), ("1.5", None), ("٣", None)],
)
def test_retry_after_in_seconds(value, seconds):
    assert rejection(429, retry_after=value).retry_after == seconds


def test_retry_after_as_a_date():
    assert rejection(503, retry_after=format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)).retry_after == pytest.approx(
        90, abs=5
    )
    assert rejection(503, retry_after="Wed, 21 Oct 2015 07:28:00 GMT").retry_after == 0


def test_a_vendors_words_are_redacted_and_short():
    words = provider.redact("token s3cr3t may not send to +447911123456 or 447911123456, code 21211 " + "x" * 1000)
    assert "s3cr3t" not in words
    assert "7911123456" not in words
    assert "code 21211" in words
    assert len(words) == 300


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.ACCEPTED])
def test_each_outcome_has_one_error_and_the_flags_that_belong_to_it(outcome):
    error = Fault(outcome, "content.blocked").error("why")
    assert error.outcome is outcome
    assert error.tries_next is (outcome in {Outcome.NOT_SENT, Outcome.UNAVAILABLE, Outcome.NOT_FOR_THIS_PROVIDER, Outcome.MISCONFIGURED})
    assert error.is_final is (outcome is Outcome.REFUSED)
    assert error.is_unknown is (outcome is Outcome.UNKNOWN)
    assert error.opens_circuit is (outcome is Outcome.MISCONFIGURED)
    assert error.counts_against_circuit is (outcome not in {Outcome.REFUSED, Outcome.NOT_FOR_THIS_PROVIDER})
    assert error.tries_next + error.is_final + error.is_unknown == 1


@given(st.dictionaries(st.text("ABCxyz", min_size=1), st.text(st.characters(blacklist_categories=["Cs"]))))
def test_a_form_arrives_as_it_was(fields):
    assert dict(parse_qsl(form_body(fields).decode(), keep_blank_values=True)) == fields
