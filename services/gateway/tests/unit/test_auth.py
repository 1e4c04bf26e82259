"""What can be said about keys without asking anybody."""

import pytest

from sms_gateway.auth import Throttle, _split
from sms_gateway.entropy import Entropy


def test_a_key_is_split_at_its_first_three_underscores() -> None:
    assert _split(b"sgw_live_k3y1_se_cr_et") == ("k3y1", "live", b"se_cr_et")


@pytest.mark.parametrize(
    "presented", [b"", b"sgw", b"sgw_live_k", b"abc_live_k_s", b"sgw_live_K_s", b"sgw_live__s", b"\xff_\xfe_x_y", b"sgw_live_k\n_s"]
)
def test_what_is_no_key_is_nobodys(presented: bytes) -> None:
    assert _split(presented) == ("", "", presented)


def test_failures_are_counted_within_a_minute_and_per_address() -> None:
    throttle = Throttle()
    assert [throttle.failed("192.0.2.1", i) for i in range(30)] == [None] * 30
    assert throttle.failed("192.0.2.1", 30) == 30
    assert throttle.failed("192.0.2.2", 30) is None
    assert throttle.failed("192.0.2.1", 59.5) == 1
    assert throttle.failed("192.0.2.1", 60.1) is None


def test_one_network_of_ipv6_counts_as_one_address() -> None:
    throttle = Throttle()
    for i in range(30):
        assert throttle.failed(f"2001:db8::{i:x}", 0) is None
    assert throttle.failed("2001:db8::ffff", 0) is not None
    assert throttle.failed("2001:db8:0:1::1", 0) is None


def test_the_throttle_remembers_only_so_many_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Throttle, "ADDRESSES", 3)
    throttle = Throttle()
    for address in "abcd":
        throttle.failed(address, 0)
    assert list(throttle._failures) == ["b", "c", "d"]


def test_random_bytes_are_given_out_once() -> None:
    entropy = Entropy()
    given = [entropy(10) for _ in range(2_000)]
    assert len(set(given)) == 2_000
    assert {len(piece) for piece in given} == {10}
