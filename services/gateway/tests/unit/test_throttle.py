"""What one process counts by itself while Redis does not."""

import pytest

from sms_gateway.throttle import OwnCount, block


def test_failures_are_counted_within_a_minute_and_per_address() -> None:
    count = OwnCount()
    assert [count.failed("192.0.2.1", i) for i in range(30)] == [None] * 30
    assert count.failed("192.0.2.1", 30) == 30
    assert count.failed("192.0.2.2", 30) is None
    assert count.failed("192.0.2.1", 59.5) == 1
    assert count.failed("192.0.2.1", 60.1) is None


def test_one_network_of_ipv6_counts_as_one_address() -> None:
    assert {block(f"2001:db8::{i:x}") for i in range(30)} == {"2001:db8::/64"}
    assert block("2001:db8:0:1::1") != block("2001:db8::1")
    assert block("192.0.2.1") == "192.0.2.1"
    assert block("fe80::1%eth0") == "fe80::/64"
    assert [block(nonsense) for nonsense in ("", "unknown", "a:b")] == ["", "unknown", "a:b"]


def test_only_so_many_addresses_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OwnCount, "ADDRESSES", 3)
    count = OwnCount()
    for address in "abcd":
        count.failed(address, 0)
    assert list(count._failures) == ["b", "c", "d"]
