"""Golden samples: what was once on the wire stays readable."""

from pathlib import Path

import msgspec
import pytest

from sms_contract import envelope

SAMPLES = Path(__file__).parents[2] / "samples" / "v1"


def read(name: str) -> envelope.Envelope:
    return envelope.decode_envelope((SAMPLES / name).read_bytes())


def test_every_field_of_a_submission_survives() -> None:
    full, least = (envelope.decode_submission(entry) for entry in read("submission.json").entries)
    assert (full.wire_text, full.providers, full.on_unknown) == ("Your code is 123456 - keep it safe", ["alpha", "beta"], "hold")
    assert full.metadata == {"order": "17"}
    assert (least.mode, least.text, least.traffic_type, least.idempotency) == ("test", "héllo €", "transactional", None)


@pytest.mark.parametrize("name", ["submission.json", "submission_failover.json"])
def test_encoding_a_decoded_sample_gives_it_back_to_the_byte(name: str) -> None:
    raw = (SAMPLES / name).read_bytes().rstrip()
    decoded = envelope.decode_envelope(raw)
    entries = [envelope.encode_entry(envelope.decode_submission(entry)) for entry in decoded.entries]
    assert envelope.encode_envelope(envelope.SUBMISSION_V1, entries) == raw


def test_an_item_of_a_batch_inherits_and_overrides_defaults() -> None:
    batch = read("batch.json")
    first, second = (envelope.decode_submission(entry, batch.defaults) for entry in batch.entries)
    assert first.text == second.text == "Sale today"
    assert (first.index, second.index, second.reference) == (0, 1, "second")
    assert first.batch_id == second.batch_id is not None


def test_failover_came_later_and_is_none_where_nobody_says_so() -> None:
    (asked,) = (envelope.decode_submission(entry) for entry in read("submission_failover.json").entries)
    (before, _) = (envelope.decode_submission(entry) for entry in read("submission.json").entries)
    assert (asked.failover_on, before.failover_on) == (["undelivered"], [])
    batch = read("batch_failover.json")
    assert [envelope.decode_submission(entry, batch.defaults).failover_on for entry in batch.entries] == [["undelivered"], []]


def test_a_bad_entry_leaves_its_neighbours_readable() -> None:
    good = envelope.encode_entry(envelope.decode_submission(read("submission.json").entries[0]))
    mixed = envelope.decode_envelope(envelope.encode_envelope(envelope.SUBMISSION_V1, [b'{"to":7}', good]))
    with pytest.raises(msgspec.ValidationError):
        envelope.decode_submission(mixed.entries[0])
    assert envelope.decode_submission(mixed.entries[1]).to == "+447911123456"


def test_callbacks_carry_bytes_and_cancels_an_id() -> None:
    callback = envelope.decode_callback(read("callback.json").entries[0])
    assert callback.body == b"MessageSid=SM1&MessageStatus=delivered"
    assert callback.headers[1] == ("x-twilio-signature", "c2ln")
    assert envelope.decode_cancel(read("cancel.json").entries[0]).tracking_id == "0192f0c1-8000-7abc-8def-0123456789ab"
