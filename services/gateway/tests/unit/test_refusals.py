"""When refusals are a reason to change the connection."""

import itertools

from sms_gateway.refusals import ENOUGH, LONGEST, SHORTEST, Refusals


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def refused(refusals: Refusals, queue: str = "q") -> list[bool]:
    return [refusals.heard(queue, refused=True) for _ in range(ENOUGH)]


def test_some_in_a_row_are_a_reason() -> None:
    assert refused(Refusals(Clock())) == [False] * (ENOUGH - 1) + [True]


def test_what_is_taken_between_them_begins_the_count_anew() -> None:
    refusals = Refusals(Clock())
    assert not any(refusals.heard("q", refused=one) for one in [True] * (ENOUGH - 1) + [False] + [True] * (ENOUGH - 1))


def test_each_queue_is_counted_alone() -> None:
    refusals = Refusals(Clock())
    for _ in range(ENOUGH - 1):
        assert not refusals.heard("full", refused=True)
        assert not refusals.heard("other", refused=False)
    assert refusals.heard("full", refused=True)


def test_a_queue_that_stays_full_is_a_reason_ever_more_seldom() -> None:
    clock = Clock()
    refusals = Refusals(clock)
    changes = []
    for tick in range(2000):
        clock.now = 100.0 + tick / 10
        if refusals.heard("q", refused=True):
            changes.append(clock.now)
    pauses = [round(later - earlier, 1) for earlier, later in itertools.pairwise(changes)]
    assert pauses[0] == SHORTEST
    assert sorted(pauses) == pauses
    assert pauses[-1] == LONGEST


def test_when_all_is_taken_again_the_next_time_is_soon() -> None:
    clock = Clock()
    refusals = Refusals(clock)
    for _ in range(4):
        assert refused(refusals)[-1]
        clock.now += LONGEST
    refusals.heard("q", refused=False)
    assert refused(refusals)[-1]
    clock.now += SHORTEST
    assert refused(refusals)[-1]
