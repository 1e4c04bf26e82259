"""Parts, added up; and references, read back."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_backend.messages.parts import Heard, Parts, Place, added_up
from sms_backend.messages.references import message_of

HOME = (UUID("0192f0c1-0000-7000-8000-000000000001"), 1)
ID = str(HOME[0])


def heard(*reports: tuple[str, str], total: int = 3) -> str | None:
    parts, said = Parts(), Heard(report=None)
    for key, report in reports:
        said = parts.hear(HOME, Place(key=key, total=total, own_id=True), provider="alpha", heard=Heard(report=report, error_code=key))
    return said.report


@pytest.mark.parametrize(
    ("reports", "whole"),
    [
        ([("a", "delivered"), ("b", "delivered"), ("c", "delivered")], "delivered"),
        ([("a", "delivered"), ("b", "delivered"), ("b", "delivered")], "sent"),
        ([("a", "undelivered"), ("b", "delivered"), ("c", "delivered")], "undelivered"),
        ([("a", "expired"), ("b", "delivered")], "expired"),
        ([("a", "expired"), ("b", "undelivered")], "undelivered"),
        ([("a", "sent")], "sent"),
        ([("a", "undelivered"), ("a", "sent")], "undelivered"),
        ([("a", "undelivered"), ("a", "delivered"), ("b", "delivered"), ("c", "delivered")], "delivered"),
    ],
)
def test_what_parts_say_together(reports: list[tuple[str, str]], whole: str) -> None:
    assert heard(*reports) == whole


@given(st.permutations([("a", "sent"), ("a", "undelivered"), ("b", "sent"), ("b", "delivered"), ("c", "delivered")]))
def test_their_order_does_not_show(reports: list[tuple[str, str]]) -> None:
    assert heard(*reports) == "undelivered"


def test_the_error_shown_is_that_of_the_part_that_was_lost() -> None:
    whole = added_up([Heard(report="delivered"), Heard(report="undelivered", error_code="recipient.blocked")], total=2)
    assert whole.error_code == "recipient.blocked"


@pytest.mark.parametrize(
    ("reference", "known"),
    [(ID, True), (f"{ID}.2", True), (f"{ID}.", False), (f"{ID}.x", False), (f"{ID}2", False), ("order-17", False), (None, False)],
)
def test_a_reference_of_ours_names_its_message(reference: str | None, known: bool) -> None:
    assert message_of(reference) == (HOME[0] if known else None)
