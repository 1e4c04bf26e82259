"""What can be said about keys without asking anybody."""

import pytest

from sms_gateway.auth import _split
from sms_gateway.entropy import Entropy


def test_a_key_is_split_at_its_first_three_underscores() -> None:
    assert _split(b"sgw_live_k3y1_se_cr_et") == ("k3y1", "live", b"se_cr_et")


@pytest.mark.parametrize(
    "presented", [b"", b"sgw", b"sgw_live_k", b"abc_live_k_s", b"sgw_live_K_s", b"sgw_live__s", b"\xff_\xfe_x_y", b"sgw_live_k\n_s"]
)
def test_what_is_no_key_is_nobodys(presented: bytes) -> None:
    assert _split(presented) == ("", "", presented)


def test_random_bytes_are_given_out_once() -> None:
    entropy = Entropy()
    given = [entropy(10) for _ in range(2_000)]
    assert len(set(given)) == 2_000
    assert {len(piece) for piece in given} == {10}
