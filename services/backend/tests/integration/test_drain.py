"""Whether intake has stored everything, where the clocks of its processes differ."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from sms_backend.core.clock import shared_now
from sms_backend.messages import drain

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def clock_off(hours: int) -> Iterator[None]:
    """This process's own clock is so far off."""
    real = timezone.now

    def off() -> datetime:
        return real() + timedelta(hours=hours)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timezone, "now", off)
        yield


@pytest.mark.parametrize("hours", [-2, 2])
def test_an_intake_whose_clock_is_off_is_believed_and_not_given_up(hours: int) -> None:
    with clock_off(hours):
        drain.beat(uuid4(), held_for=None, empty=True)
    assert drain.intake_drained(shared_now() - timedelta(seconds=1))


@pytest.mark.parametrize("hours", [-2, 2])
def test_what_an_intake_holds_is_not_stored_whatever_its_clock_says(hours: int) -> None:
    with clock_off(hours):
        drain.beat(uuid4(), held_for=timedelta(seconds=10), empty=True)
    assert not drain.intake_drained(shared_now() - timedelta(seconds=5))


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_look_from_before_the_moment_is_worth_nothing_whatever_its_clock_says(hours: int) -> None:
    with clock_off(hours):
        drain.beat(uuid4(), held_for=None, empty=True)
    assert not drain.intake_drained(shared_now())
