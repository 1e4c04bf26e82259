"""What a client or a key may be given."""

from datetime import UTC, datetime, timedelta

import pytest

from sms_backend.accounts import keys, validation

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30d", NOW + timedelta(days=30)),
        ("12h", NOW + timedelta(hours=12)),
        ("90m", NOW + timedelta(minutes=90)),
        ("2w", NOW + timedelta(weeks=2)),
        ("2030-02-01T00:00:00Z", datetime(2030, 2, 1, tzinfo=UTC)),
        ("2030-02-01T00:00:00+02:00", datetime(2030, 1, 31, 22, tzinfo=UTC)),
        (None, None),
    ],
)
def test_an_expiry_is_a_time_or_a_duration(text, moment):
    assert validation.expiry(text, NOW) == moment


@pytest.mark.parametrize(
    "text", ["", "soon", "30", "0d", "-1d", "2029-12-31T23:59:59Z", "2030-13-01T00:00:00Z", "999999w", "9999-12-31T23:59:59Z"]
)
def test_an_expiry_that_is_past_or_unreadable_is_refused(text):
    with pytest.raises(ValueError, match="give"):
        validation.expiry(text, NOW)


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (validation.name, ""),
        (validation.name, " acme"),
        (validation.name, "a\nb"),
        (validation.time_zone, "Mars/Olympus"),
        (validation.sender, "much too long a name"),
        (validation.countries, ["UK"]),
        (validation.countries, ["+0"]),
        (validation.countries, ["44"]),
        (validation.networks, ["10.0.0.1/8"]),
        (validation.networks, ["everywhere"]),
        (validation.scopes, ["messages:delete"]),
        (validation.positive, 0.0),
        (validation.positive, float("nan")),
        (validation.positive, float("inf")),
        (validation.mode, "dead"),
        (validation.duration, "999999w"),
        (validation.on_unknown, "shrug"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_give(check, value):
    with pytest.raises(ValueError, match=r"give|there are"):
        check(value)


def test_lists_keep_their_order_and_lose_their_doubles():
    assert validation.countries(["gb", "+1", "GB"]) == ["GB", "+1"]
    assert validation.networks(["192.0.2.7", "2001:db8::/32", "192.0.2.7/32"]) == ["192.0.2.7/32", "2001:db8::/32"]
    assert validation.senders(["ACME", "12345", "ACME"]) == ["ACME", "12345"]


def test_no_scope_named_is_all_scopes():
    assert validation.scopes([]) == list(validation.SCOPES)
    assert validation.scopes(["messages:read"]) == ["messages:read"]


def test_a_key_is_text_of_256_bits_and_kept_as_an_hmac():
    secret = keys.new_secret()
    assert len(secret) == 43
    assert secret.isalnum()
    assert secret.isascii()
    assert secret != keys.new_secret()
    assert len(keys.key_hash(secret)) == 64
    assert keys.key_hash(secret) != keys.key_hash(secret + "x")
    assert keys.key_text("live", "abc", secret).split("_") == ["sgw", "live", "abc", secret]
