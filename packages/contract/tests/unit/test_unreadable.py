"""What nobody of ours has written: it is refused by the one error that readers of a queue expect."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from sms_contract import envelope

_DEEP = 100_000
_DECODERS: list[Callable[[bytes], Any]] = [
    envelope.decode_envelope,
    envelope.decode_submission,
    lambda raw: envelope.decode_submission(raw, {"client": "c1"}),
    envelope.decode_cancel,
    envelope.decode_callback,
]


@pytest.mark.parametrize("decode", _DECODERS)
@pytest.mark.parametrize(
    "body",
    [
        b'{"client":"\xff","type":"\xff"}',
        b'{"client":"\xed\xa0\x80","type":"\xed\xa0\x80"}',  # a surrogate, written out as three bytes
        b'{"entries":' + b"[" * _DEEP + b"]" * _DEEP + b"}",
        b'{"x":' + b'{"a":' * _DEEP + b"1" + b"}" * _DEEP + b"}",
        b'{"client":"\\ud800","type":"\\ud800"}',
    ],
    ids=["no UTF-8", "a surrogate", "deep lists", "deep objects", "half a pair"],
)
def test_what_cannot_be_read_is_a_decode_error_and_no_other(decode: Callable[[bytes], Any], body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError) as refused:
        decode(body)
    assert refused.value.__cause__ is None, "the cause would hold the input"


def test_an_entry_that_is_no_utf8_is_found_only_when_it_is_read() -> None:
    whole = envelope.decode_envelope(b'{"type":"submission.v1","entries":[{"to":"\xff"},{"to":1}]}')
    assert len(whole.entries) == 2
    with pytest.raises(msgspec.DecodeError, match="not UTF-8"):
        envelope.decode_submission(whole.entries[0])
