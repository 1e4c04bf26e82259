"""What intake commits: each message once, each bad one parked, idempotency's last word."""

from collections.abc import Callable
from datetime import date

import msgspec
import pytest

from sms_backend.core.cache import cache
from sms_backend.messages.models import Alias, Message, Parked, QuotaUsage, RawCallback
from sms_backend.messages.projection import project_due
from sms_backend.pipeline.intake import Delivery, TooManyBadRowsError, take
from sms_contract import envelope, keyspace
from sms_contract.envelope import Submission
from sms_contract.ids import uuid7

Make = Callable[..., Submission]


def delivery(*submissions: Submission, raw: tuple[bytes, ...] = (), message_id: str = "amqp-1") -> Delivery:
    entries = [*(envelope.encode_entry(s) for s in submissions), *raw]
    return Delivery(queue="sms.submissions", body=envelope.encode_envelope(envelope.SUBMISSION_V1, entries), message_id=message_id)


def test_a_redelivery_changes_nothing(submission: Make) -> None:
    first, second = submission(charged_day="20261123", segments=2), submission(charged_day="20261123")
    assert take([delivery(first, second)]).stored == 2
    assert take([delivery(first), delivery(second, message_id="amqp-2")]).stored == 0
    assert Message.objects.count() == 2
    assert QuotaUsage.objects.get().used == 3
    assert QuotaUsage.objects.get().day == date(2026, 11, 23)


def test_lanes_with_new_work_are_named(submission: Make) -> None:
    taken = take([delivery(submission(traffic_type="otp"), submission(send_at=submission().reserved_at + 600_000))])
    assert taken.lanes == {"otp"}
    assert sorted(Message.objects.values_list("status", flat=True)) == ["queued", "scheduled"]


def test_a_second_id_of_one_request_becomes_an_alias_and_its_charge_returns(submission: Make) -> None:
    first = submission(idempotency="k" * 32, charged_day="20261123")
    again = submission(idempotency="k" * 32, charged_day="20261123")
    cache.set(keyspace.quota(first.client, "20261123"), 2)
    take([delivery(first)])
    take([delivery(again)])
    assert [str(m.pk) for m in Message.objects.all()] == [first.tracking_id]
    assert str(Alias.objects.get().message_id) == first.tracking_id
    assert QuotaUsage.objects.get().used == 1
    while project_due():
        pass
    project_due()
    assert int(cache.get(keyspace.quota(first.client, "20261123")) or 0) == 1
    shown = cache.get(keyspace.status(first.client, again.tracking_id))
    assert shown is not None
    view = msgspec.json.decode(shown.split(b"|", 2)[2])
    assert (view["tracking_id"], view["aliases"]) == (first.tracking_id, [again.tracking_id])


def test_both_ids_in_one_batch_are_told_apart_too(submission: Make) -> None:
    first, again = submission(idempotency="k" * 32), submission(idempotency="k" * 32)
    take([delivery(first, again)])
    assert Message.objects.count() == 1
    assert Alias.objects.count() == 1


def test_the_key_of_another_request_ends_rejected(submission: Make) -> None:
    first = submission(idempotency="k" * 32)
    other = submission(idempotency="k" * 32, fingerprint="cd" * 32, charged_day="20261123")
    take([delivery(first), delivery(other, message_id="amqp-2")])
    rejected = Message.objects.get(id=other.tracking_id)
    assert (rejected.status, rejected.error_code) == ("rejected", "idempotency.key_reused")
    assert rejected.refunded_at is not None
    assert not QuotaUsage.objects.exists()


def test_a_key_is_free_again_after_24_hours(submission: Make) -> None:
    first = submission(idempotency="k" * 32)
    later = submission(idempotency="k" * 32, fingerprint="cd" * 32, reserved_at=first.reserved_at + 86_400_001)
    take([delivery(first)])
    take([delivery(later, message_id="amqp-2")])
    assert set(Message.objects.values_list("status", flat=True)) == {"queued"}


def test_one_bad_row_among_many_is_parked_alone(submission: Make) -> None:
    good = [submission() for _ in range(99)]
    bad = submission(text="nul \0 inside")
    taken = take([delivery(*good[:50], bad, *good[50:])])
    assert (taken.stored, taken.parked) == (99, 1)
    parked = Parked.objects.get()
    assert parked.queue == "sms.submissions"
    assert "nul" not in parked.reason
    again = envelope.decode_envelope(bytes(parked.body))
    assert envelope.decode_submission(again.entries[0]).tracking_id == bad.tracking_id


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b'{"type":"submission.v9","entries":[{}]}',
        b"[]",
        b'{"type":"submission.v1"}',
        b"\xff\xfe",
        b'{"type":"\xff","entries":[]}',
        b'{"type":"submission.v1","entries":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=["no JSON", "of another version", "no object", "without entries", "no text", "no UTF-8 in it", "nested without end"],
)
def test_what_cannot_be_read_is_parked_whole_and_once(submission: Make, body: bytes) -> None:
    poison = Delivery(queue="sms.submissions", body=body, message_id="poison")
    assert take([poison, delivery(submission())]).parked == 1
    assert take([poison]).stored == 0
    assert bytes(Parked.objects.get().body) == body
    assert Message.objects.count() == 1


@pytest.mark.parametrize("raw", [b'{"to":1}', b'{"to":"\xff"}', b'{"x":[' * 300 + b"1" + b"]}" * 300])
def test_an_entry_that_cannot_be_read_leaves_its_neighbours(submission: Make, raw: bytes) -> None:
    assert take([delivery(submission(), raw=(raw,))]).stored == 1
    assert Parked.objects.count() == 1


def test_what_the_broker_gave_up_on_is_parked_under_the_queue_that_it_came_from(submission: Make) -> None:
    died = {"x-first-death-queue": "sms.submissions", "x-first-death-reason": "delivery_limit"}
    letter = Delivery(queue="sms.parked", body=delivery(submission()).body, message_id="dead", headers=died)
    assert take([letter]).parked == 1
    assert (Parked.objects.get().queue, bytes(Parked.objects.get().body)) == ("sms.submissions", letter.body)
    assert "delivery_limit" in Parked.objects.get().reason
    assert not Message.objects.exists()


def test_a_flood_of_bad_rows_stops_intake_instead_of_burying_it(submission: Make) -> None:
    with pytest.raises(TooManyBadRowsError):
        take([delivery(*(submission(text="\0") for _ in range(60)))])


def test_batches_share_their_defaults(submission: Make) -> None:
    first, second = submission(), submission()
    shared = msgspec.json.encode({k: v for k, v in msgspec.to_builtins(first).items() if k not in {"tracking_id", "to"}})
    entries = [
        msgspec.json.encode({"tracking_id": s.tracking_id, "to": to}) for s, to in ((first, "+15005550006"), (second, "+15005550009"))
    ]
    body = envelope.encode_envelope(envelope.SUBMISSION_V1, entries, shared)
    take([Delivery(queue="sms.submissions", body=body, message_id="batch")])
    assert set(Message.objects.values_list("recipient", "text")) == {("+15005550006", first.text), ("+15005550009", first.text)}


def test_callbacks_are_kept_raw(submission: Make) -> None:
    callback = envelope.Callback(
        id=uuid7(submission().reserved_at),
        provider="alpha",
        method="POST",
        path="/v1/callbacks/alpha",
        query="m=1",
        headers=[("content-type", "text/plain")],
        body=b"\x00\xff",
        received_at=submission().reserved_at,
    )
    body = envelope.encode_envelope(envelope.CALLBACK_V1, [envelope.encode_entry(callback)] * 2)
    assert take([Delivery(queue="sms.callbacks", body=body, message_id="cb")]).callbacks == 2
    assert bytes(RawCallback.objects.get().body) == b"\x00\xff"
