"""Which submissions are handed on without their task, and which wake it at once."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from sms_gateway.admission.reserve import Claim, Verdict
from sms_gateway.admission.settle import Reservation
from sms_gateway.broker import Confirmation
from sms_gateway.coalescer import UnansweredError
from sms_gateway.passage import Passage
from sms_gateway.publisher import Publisher

CLAIM = Claim(
    principal=cast("Any", None),
    id="id",
    owner="id",
    day="20261125",
    segments=1,
    fingerprint="",
    idempotency=None,
    purpose="n",
    deadline_ms=0,
    answer=b"",
)


class Gathering:
    """A publisher that remembers what it was given."""

    def __init__(self) -> None:
        self.gathered: list[tuple[str, bytes, Reservation, Callable[[Confirmation | Exception], None], float]] = []

    def gather(self, queue: str, entry: bytes, reservation: Reservation, then: Any, *, deadline: float) -> None:
        self.gathered.append((queue, entry, reservation, then, deadline))


def passage(publisher: Gathering) -> Passage:
    return Passage(CLAIM, cast("Publisher", publisher), queue="q", entry=b"{}", deadline=3.0)


async def test_what_is_admitted_is_published_and_its_task_hears_of_the_confirm_alone() -> None:
    publisher = Gathering()
    one = passage(publisher)
    one.judged(Verdict("n", 1))
    assert not one.ended.done()
    ((queue, entry, reservation, then, deadline),) = publisher.gathered
    assert (queue, entry, reservation, deadline) == ("q", b"{}", Reservation(CLAIM, "id", "20261125"), 3.0)
    then(Confirmation.CONFIRMED)
    assert await one.ended is Confirmation.CONFIRMED
    assert one.reservation == reservation


@pytest.mark.parametrize("verdict", [*(Verdict(kind, 1) for kind in "ortiklq"), UnansweredError()], ids=[*"ortiklq", "unanswered"])
async def test_everything_else_wakes_the_task_and_is_not_published(verdict: Verdict | Exception) -> None:
    publisher = Gathering()
    one = passage(publisher)
    one.judged(verdict)
    assert await one.ended is verdict
    assert (publisher.gathered, one.reservation) == ([], None)


async def test_a_task_that_has_gone_is_not_woken() -> None:
    publisher = Gathering()
    one = passage(publisher)
    one.judged(Verdict("n", 1))
    one.ended.cancel()
    publisher.gathered[0][3](Confirmation.CONFIRMED)
    assert one.ended.cancelled()
