"""Claims of a busy lane wait for more, one thread for all; nobody else waits."""

import threading

from sms_backend.pipeline.pace import GATHER, Pace


class Clock:
    """Time passes by sleeping."""

    def __init__(self):
        self.now, self.slept = 100.0, []

    def sleep(self, seconds):
        self.slept.append(round(seconds, 3))
        self.now += seconds


def paced():
    clock = Clock()
    return Pace(now=lambda: clock.now, sleep=clock.sleep), clock


def waits_after(count, *, lane="transactional", limit=200):
    pace, clock = paced()
    pace.claimed(lane, count, limit)
    assert pace.wait(lane) is not None
    return clock.slept


def test_after_many_that_were_all_there_were_the_next_claim_waits():
    assert waits_after(80) == [GATHER]


def test_a_full_claim_is_followed_at_once():
    assert waits_after(200) == []


def test_where_little_happens_nobody_waits():
    assert waits_after(0) == []
    assert waits_after(5) == []


def test_one_time_passwords_never_wait():
    assert waits_after(80, lane="otp") == []


def test_lanes_wait_for_themselves_alone():
    pace, clock = paced()
    pace.claimed("transactional", 80, 200)
    assert pace.wait("promotional") is not None
    assert clock.slept == []


def test_time_that_has_passed_counts():
    pace, clock = paced()
    pace.claimed("transactional", 80, 200)
    clock.now += GATHER / 2
    assert pace.wait("transactional") is not None
    assert clock.slept == [round(GATHER / 2, 3)]
    assert pace.wait("transactional") is not None
    assert clock.slept == [round(GATHER / 2, 3)]


def test_a_claim_answers_the_hint_that_led_to_it():
    pace, _ = paced()
    assert pace.wait("transactional", 1) == {1}
    assert pace.wait("transactional") == set()


def test_one_thread_waits_for_all_and_answers_their_hints():
    asleep, go_on = threading.Event(), threading.Event()

    def sleep(_seconds):
        asleep.set()
        assert go_on.wait(30)

    pace = Pace(now=lambda: 100.0, sleep=sleep)
    pace.claimed("transactional", 80, 200)
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(pace.wait("transactional", 0)))
    waiting.start()
    assert asleep.wait(30)
    assert pace.wait("transactional", 1) is None
    assert pace.wait("transactional") is None
    go_on.set()
    waiting.join()
    assert answers == [{0, 1}]
