"""What vendors' numbers and times may be, and what they may never come to."""

import pytest

from sms_providers.adapters.plivo import PlivoProvider
from sms_providers.adapters.twilio import TwilioProvider
from sms_providers.base import Provider
from sms_providers.reading import moment, part_of, whole
from sms_providers.types import Callback, Inbound, Part

FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("2026-08-01T15:30:01.000Z", 1785598201000),
        ("2026-08-01 15:30:01", 1785598201000),
        ("1970-01-01T00:00:00Z", 0),
        ("9999-12-31T23:59:59Z", 253402300799000),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),  # before year 1 in UTC: no `datetime` has it
        ("9999-12-31T23:59:59-14:00", None),  # year 10000 in UTC
        ("1969-12-31T23:59:59Z", None),
        ("never", None),
        (17, None),
    ],
)
def test_a_time_is_one_that_there_is(said: object, read: int | None) -> None:
    assert moment(said) == read


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("17", 17),
        (17, 17),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, None),
        ("9" * 5000, None),
        (10**400, None),
        (-3, -3),
        ("²", None),
        (True, None),
    ],
)
def test_a_number_is_one_that_something_is_counted_by(said: object, read: int | None) -> None:
    assert whole(said) == read


@pytest.mark.parametrize(
    ("provider", "form"),
    [
        (TwilioProvider, "MessageSid=SM1&From=%2B447700900001&To=%2B1555&Body=x&NumSegments="),
        (PlivoProvider, "MessageUUID=u1&From=447700900001&To=1555&Text=x&Units="),
    ],
)
@pytest.mark.parametrize(("count", "segments"), [("2", 2), ("", 1), ("9" * 5000, 1), ("²", 1)])
def test_a_message_from_a_person_is_read_whatever_its_segments_are_said_to_be(
    provider: type[Provider], form: str, count: str, segments: int
) -> None:
    secrets = (
        {"account_sid": "AC1", "auth_token": "t"} if provider is TwilioProvider else {"auth_id": "MAXXXXXXXXXXXXXXXXXX", "auth_token": "t"}
    )
    adapter = provider(provider.Config.model_validate(secrets))
    callback = Callback(method="POST", url="https://sms.example/", headers=FORM, body=(form + count).encode())
    (heard,) = adapter.read(callback)
    assert isinstance(heard, Inbound)
    assert heard.segments == segments


@pytest.mark.parametrize(
    ("index", "total", "part"),
    [
        (2, 3, Part(index=2, total=3)),
        (2, None, Part(index=2)),
        (0, 3, None),
        (4, 3, None),
        (2, 260230, None),
        (-1, None, None),
        (None, 3, None),
    ],
)
def test_a_part_is_one_that_a_message_can_have(index: int | None, total: int | None, part: Part | None) -> None:
    assert part_of(index, total) == part
