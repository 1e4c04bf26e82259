"""Batches: one AMQP message, a thousand rows, one idempotency key, one reservation."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from sms_backend.accounts.models import Client
from sms_backend.core.cache import cache
from sms_backend.messages import cancel, drain, sweep
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.models import Alias, IdempotencyKey, IntakeInstance, Message, QuotaUsage
from sms_backend.messages.projection import project_due
from sms_backend.pipeline.intake import Delivery, take
from sms_backend.pipeline.persist import persist
from sms_backend.pipeline.reservations import clear_pending
from sms_contract import envelope, keyspace
from sms_contract.envelope import Cancel, Submission
from sms_contract.ids import uuid7

Make = Callable[..., Submission]
DAY = "20261123"
KEY = "k" * 32


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def batch_of(make: Make, size: int, *, at: int | None = None, **fields: object) -> list[Submission]:
    at = now_ms() if at is None else at
    usual = {"batch_id": uuid7(at), "charged_day": DAY, "segments": 2, "reserved_at": at}
    return [make(tracking_id=uuid7(at), index=index, **(usual | fields)) for index in range(size)]


def as_one(batch: list[Submission]) -> Delivery:
    """With what all share written once, as the gateway does."""
    items = [msgspec.to_builtins(s) for s in batch]
    shared = {name: value for name, value in items[0].items() if all(item.get(name) == value for item in items)}
    entries = [msgspec.json.encode({name: value for name, value in item.items() if name not in shared}) for item in items]
    body = envelope.encode_envelope(envelope.SUBMISSION_V1, entries, msgspec.json.encode(shared))
    return Delivery(queue="sms.submissions", body=body, message_id=uuid7(now_ms()))


def reserve(client: str, identifier: str, *, digest: str = "", at: int | None = None, segments: int = 6) -> bytes:
    """A reservation as the gateway leaves it when its confirm never came."""
    at = now_ms() if at is None else at
    record = f"p|owner|{at + 3000}|{segments}|{DAY}|{digest}|{'ab' * 32}|0|{{}}".encode()
    cache.set(keyspace.reservation(client, identifier), record, ex=keyspace.FINAL_TTL)
    cache.zadd(keyspace.pending(client), {identifier: at})
    return record


def show() -> None:
    while project_due():
        pass


def test_a_thousand_entries_are_stored_in_one_go(submission: Make) -> None:
    batch = batch_of(submission, 1000, idempotency=KEY)
    delivery = as_one(batch)
    began = time.perf_counter()
    assert take([delivery]).stored == 1000
    # A generous bound, for a busy machine; it takes a tenth of this.
    assert time.perf_counter() - began < 3
    assert take([delivery]).stored == 0
    assert QuotaUsage.objects.get().used == 2000
    assert Message.objects.filter(batch_id=batch[0].batch_id).count() == 1000


def test_a_second_batch_of_one_key_becomes_aliases_and_its_charge_returns(submission: Make) -> None:
    first, again = (batch_of(submission, 3, idempotency=KEY) for _ in range(2))
    cache.set(keyspace.quota(first[0].client, DAY), 12)
    take([as_one(first)])
    take([as_one(again)])
    assert {str(pk) for pk in Message.objects.values_list("id", flat=True)} == {s.tracking_id for s in first}
    assert {str(a.alias): str(a.message_id) for a in Alias.objects.all()} == {
        **{second.tracking_id: one.tracking_id for one, second in zip(first, again, strict=True)},
        str(again[0].batch_id): str(first[0].batch_id),
    }
    with hot_cursor() as cursor:
        cursor.execute("UPDATE projection_due SET due_at = now()")
    show()
    assert cache.get(keyspace.quota(first[0].client, DAY)) == b"6"
    # Its id answers for the batch.
    with hot_cursor() as cursor:
        changed = cancel.cancel(cursor, [Cancel(client=first[0].client, requested_at=now_ms(), batch_id=again[0].batch_id)])
    assert {str(row.id) for row in changed} == {s.tracking_id for s in first}


def test_another_batch_with_the_key_is_rejected_as_a_whole(submission: Make) -> None:
    first = batch_of(submission, 2, idempotency=KEY)
    other = batch_of(submission, 4, idempotency=KEY, fingerprint="cd" * 32)
    # Not even an item whose index the first did not have slips through.
    take([as_one(first)])
    take([as_one(other[2:]), as_one(other[:2])])
    assert set(Message.objects.filter(batch_id=other[0].batch_id).values_list("status", "error_code")) == {
        ("rejected", "idempotency.key_reused")
    }
    assert set(Message.objects.filter(batch_id=first[0].batch_id).values_list("status", flat=True)) == {"queued"}
    assert QuotaUsage.objects.get().used == 4


def test_a_single_message_and_a_batch_cannot_share_a_key(submission: Make) -> None:
    take([as_one([submission(idempotency=KEY)])])
    other = batch_of(submission, 3, idempotency=KEY, fingerprint="cd" * 32)
    take([as_one(other)])
    assert set(Message.objects.filter(batch_id=other[0].batch_id).values_list("status", flat=True)) == {"rejected"}


def test_a_batchs_key_is_free_again_after_24_hours(submission: Make) -> None:
    first = batch_of(submission, 2, idempotency=KEY)
    later = batch_of(submission, 2, idempotency=KEY, fingerprint="cd" * 32, at=first[0].reserved_at + 86_400_001)
    take([as_one(first)])
    take([as_one(later)])
    assert set(Message.objects.values_list("status", flat=True)) == {"queued"}
    assert IdempotencyKey.objects.count() == 3


def test_showing_a_message_settles_the_reservation_of_its_batch(submission: Make) -> None:
    keyed, bare = batch_of(submission, 2, idempotency=KEY), batch_of(submission, 2)
    client = keyed[0].client
    for batch in (keyed, bare):
        reserve(client, str(batch[0].batch_id), digest=batch[0].idempotency or "")
        take([as_one(batch)])
    with hot_cursor() as cursor:
        cursor.execute("UPDATE projection_due SET due_at = now()")
    show()
    for batch in (keyed, bare):
        record = cache.get(keyspace.reservation(client, str(batch[0].batch_id)))
        assert record is not None
        assert record.startswith(b"d|owner|")
        assert cache.ttl(keyspace.reservation(client, str(batch[0].batch_id))) > 0
    assert cache.zcard(keyspace.pending(client)) == 0


def test_a_batch_that_redis_has_lost_is_known_again_under_both_its_ids(submission: Make) -> None:
    first, again = (batch_of(submission, 2, idempotency=KEY) for _ in range(2))
    client = first[0].client
    take([as_one(first)])
    take([as_one(again)])
    cache.flushdb()
    with hot_cursor() as cursor:
        cursor.execute("UPDATE projection_due SET due_at = now()")
    show()
    for batch_id in (str(first[0].batch_id), str(again[0].batch_id)):
        record = cache.get(keyspace.reservation(client, batch_id))
        assert record is not None
        state, _, _, charged, _, digest, _, _, answer = record.split(b"|", 8)
        # Done, nothing charged, and no key: it lets the batch be canceled, and nothing else.
        assert (state, charged, digest) == (b"d", b"0", b"")
        assert answer == keyspace.BATCH_ANSWER + batch_id.encode() + b'"}'


def test_a_batch_is_known_as_long_as_something_of_it_may_be_canceled(submission: Make) -> None:
    ahead = 20 * 24 * 3600
    now = now_ms()
    late = submission(
        tracking_id=uuid7(now), batch_id=uuid7(now), send_at=now + ahead * 1000, expires_at=now + ahead * 1000, reserved_at=now
    )
    key = keyspace.reservation(late.client, str(late.batch_id))
    reserve(late.client, str(late.batch_id))
    take([as_one([late])])
    with hot_cursor() as cursor:
        cursor.execute("UPDATE projection_due SET due_at = now()")
    show()
    kept = cache.ttl(key)
    assert keyspace.FINAL_TTL + ahead - 60 < kept <= keyspace.FINAL_TTL + ahead
    # It ends: nothing shortens the time.
    with hot_cursor() as cursor:
        cancel.cancel(cursor, [Cancel(client=late.client, requested_at=now_ms(), batch_id=late.batch_id)])
    show()
    assert cache.ttl(key) > kept - 60


def test_pending_batches_are_settled_by_what_is_stored(client: Client, submission: Make) -> None:
    old = now_ms() - (keyspace.PENDING_GRACE + 60) * 1000
    stored, lost, second = (batch_of(submission, 3, at=old, idempotency=f"{n}" * 32) for n in (1, 2, 1))
    cache.set(keyspace.quota(client.id, DAY), 18)
    for batch in (stored, lost, second):
        reserve(client.id, str(batch[0].batch_id), digest=batch[0].idempotency or "", at=old)
    take([as_one(stored)])
    take([as_one(second)])
    now = datetime.now(UTC)
    IntakeInstance.objects.create(id=uuid7(now_ms()), heartbeat_at=now + timedelta(seconds=1), empty_at=now)
    assert drain.intake_drained(now - timedelta(minutes=15))
    assert clear_pending(now) == 1
    states = [cache.get(keyspace.reservation(client.id, str(batch[0].batch_id))) for batch in (stored, lost, second)]
    assert [state and state[:1] for state in states] == [b"d", None, b"d"]
    assert cache.zcard(keyspace.pending(client.id)) == 0
    # What was lost came back; the second one's charge returns message by message, when its aliases are shown.
    assert cache.get(keyspace.quota(client.id, DAY)) == b"12"


def test_with_a_lost_batch_go_the_records_of_its_messages(client: Client, submission: Make) -> None:
    old = now_ms() - (keyspace.PENDING_GRACE + 60) * 1000
    lost = batch_of(submission, 2, at=old)
    batch_id = str(lost[0].batch_id)
    record = reserve(client.id, batch_id, at=old)
    items = [{"index": number, "tracking_id": s.tracking_id} for number, s in enumerate(lost)]
    answer = msgspec.json.encode({"batch_id": batch_id, "messages": [*items, {"index": 2, "error": {"code": "request.invalid"}}]})
    assert answer.startswith(keyspace.BATCH_ANSWER)
    cache.set(keyspace.reservation(client.id, batch_id), record.removesuffix(b"{}") + answer)
    for item in lost:
        cache.set(keyspace.reservation(client.id, item.tracking_id), f"b|{batch_id}|0|0||||0|{{}}")
    now = datetime.now(UTC)
    IntakeInstance.objects.create(id=uuid7(now_ms()), heartbeat_at=now + timedelta(seconds=1), empty_at=now)
    assert clear_pending(now) == 1
    assert not any(cache.exists(keyspace.reservation(client.id, identifier)) for identifier in (batch_id, *(s.tracking_id for s in lost)))


def test_each_message_of_a_batch_is_refunded_by_itself(submission: Make) -> None:
    batch = batch_of(submission, 3)
    cache.set(keyspace.quota(batch[0].client, DAY), 6)
    take([as_one(batch)])
    Message.objects.filter(id__in=[s.tracking_id for s in batch[:2]]).update(expires_at=datetime.now(UTC))
    assert persist(lambda cursor: sweep.expired(cursor, limit=10)) == 2
    assert cache.get(keyspace.quota(batch[0].client, DAY)) == b"2"
    assert QuotaUsage.objects.get().used == 2
