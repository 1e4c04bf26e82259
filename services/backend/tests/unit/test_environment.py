"""Settings that are wrong are named, and what was given is not told."""

import pytest
from pydantic import ValidationError

from sms_backend.core.environment import Environment


def test_what_was_given_stays_out_of_the_error(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://smsgw:opensesame@127.0.0.1/smsgw")
    monkeypatch.setenv("SMSGW_SECRET_KEY", "too-short-a-secret")
    monkeypatch.delenv("SMSGW_CALLBACK_SECRET", raising=False)
    with pytest.raises(ValidationError) as caught:
        Environment()
    told = str(caught.value)
    assert "smsgw_secret_key" in told.lower()
    assert "opensesame" not in told
    assert "too-short-a-secret" not in told


@pytest.mark.parametrize(
    ("given", "proxies"), [("", []), ("10.0.0.7", ["10.0.0.7"]), ("10.0.0.7, 10.1.0.0/16", ["10.0.0.7", "10.1.0.0/16"])]
)
def test_trusted_proxies_are_addresses_or_networks(monkeypatch, given, proxies):
    monkeypatch.setenv("SMSGW_WEB_TRUSTED_PROXIES", given)
    assert Environment().trusted_proxies == proxies
