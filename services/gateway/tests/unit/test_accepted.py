"""The 202 is cut out of *the message*, to the byte."""

from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from sms_contract import message as view
from sms_contract.envelope import Submission
from sms_contract.message import Accepted
from sms_gateway.submission import cut_accepted

TEXTS = st.text(max_size=20)


def answer(**fields: Any) -> bytes:
    submission = Submission(
        **{
            "tracking_id": "0192f0c1-8000-7abc-8def-0123456789ab",
            "client": "c",
            "mode": "live",
            "to": "+447911123456",
            "text": "t",
            "fingerprint": "f",
            "reserved_at": 0,
            "segments": 1,
            "encoding": "gsm7",
            "characters": 1,
            "expires_at": 1_800_000_000_000,
            **fields,
        }
    )
    return msgspec.json.encode(view.accepted(submission))


def written(message: bytes) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(message, type=Accepted))


@given(
    sender=st.none() | TEXTS,
    reference=st.none() | TEXTS,
    metadata=st.dictionaries(TEXTS, TEXTS, max_size=3),
    send_at=st.none() | st.integers(0, 2**42),
)
@example(sender=None, reference=None, metadata={"a": "b", "traffic_type": "x", "created_at": "y"}, send_at=None)
@example(sender='","traffic_type":"', reference=',"created_at":"', metadata={',"traffic_type":"': "\\"}, send_at=1)
def test_it_is_what_would_be_written(sender: str | None, reference: str | None, metadata: dict[str, str], send_at: int | None) -> None:
    message = answer(sender=sender, reference=reference, metadata=metadata, send_at=send_at)
    assert cut_accepted(message) == written(message)


def test_so_it_is_where_a_message_is_of_a_batch_or_looks_otherwise() -> None:
    for message in (answer(batch_id="0192f0c1-8000-7abc-8def-0123456789ac"), msgspec.json.format(answer(), indent=2)):
        assert cut_accepted(message) == written(message)
