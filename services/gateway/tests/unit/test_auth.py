"""What can be said about keys without asking anybody."""

import hmac
from typing import Any, cast

import pytest

from sms_contract.keyspace import ClientRecord, KeyRecord
from sms_gateway.auth import Authenticator, _split
from sms_gateway.clock import Clock
from sms_gateway.directory import Principal, principal
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


PEPPER = b"p" * 32
KEY = {b"api-key": b"sgw_live_k1_secret"}
HERE = "192.0.2.7"


class Directory:
    """Knows one key, and reads it anew when it is told to."""

    def __init__(self, **record: Any) -> None:
        self._record = KeyRecord(
            hash=hmac.digest(PEPPER, b"secret", "sha256").hex(), client="c1", mode="live", scopes=["messages:send"], **record
        )
        self.read()

    def read(self) -> None:
        self.known: Principal | None = principal("k1", self._record, ClientRecord(id="c1", name="c1"))

    def fresh_principal(self, key_id: str) -> Principal | None:
        return self.known if key_id == "k1" else None


def authenticator(directory: Directory) -> Authenticator:
    return Authenticator(cast("Any", directory), Clock(), cast("Any", None), (PEPPER,))


async def test_a_key_is_recognized_only_after_it_has_been_compared_and_until_its_record_is_read_again() -> None:
    directory = Directory()
    door = authenticator(directory)
    assert door.recognized(KEY, "messages:send") is None
    found = await door.authenticate(KEY, HERE, "messages:send")
    assert door.recognized(KEY, "messages:send") is found
    assert door.recognized({b"api-key": b"sgw_live_k1_other"}, "messages:send") is None
    assert door.recognized({}, "messages:send") is None
    directory.read()
    assert door.recognized(KEY, "messages:send") is None
    directory.known = None
    assert door.recognized(KEY, "messages:send") is None


async def test_a_key_is_not_recognized_for_what_it_may_not_do() -> None:
    door = authenticator(Directory())
    await door.authenticate(KEY, HERE, "messages:send")
    assert door.recognized(KEY, "messages:read") is None


@pytest.mark.parametrize("record", [{"expires_at": 2**40}, {"networks": ["192.0.2.0/24"]}], ids=["time", "place"])
async def test_a_key_that_depends_on_time_or_place_is_judged_each_time(record: dict[str, Any]) -> None:
    door = authenticator(Directory(**record))
    await door.authenticate(KEY, HERE, "messages:send")
    assert door.recognized(KEY, "messages:send") is None
