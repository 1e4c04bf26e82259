"""Whatever a text is, PostgreSQL reads out of the literal what was put into it."""

import uuid

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sms_backend.messages.arrays import plain, texts, uuids
from sms_backend.messages.hot import hot_cursor

#: All that PostgreSQL's text can hold, and what an array literal gives a meaning to more often than chance would have it.
ANY = st.text(st.one_of(st.sampled_from('\\"{},\n\t NULLnull'), st.characters(exclude_characters="\0", exclude_categories=["Cs"])))


def read(kind, literal):
    with hot_cursor() as cursor:
        return cursor.execute(f"SELECT ARRAY(SELECT unnest(%s::{kind}[])) AS found", (literal,)).fetchone().found


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.none(), ANY), max_size=8))
def test_texts(values):
    assert read("text", texts(values)) == values


def test_numbers_truth_and_ids():
    ids = [uuid.uuid4() for _ in range(3)]
    assert read("uuid", uuids(ids)) == ids
    assert read("float8", plain([0.1, None, 1e-9, 3])) == [0.1, None, 1e-9, 3.0]
    assert read("bool", plain([True, False, None])) == [True, False, None]
    assert read("bigint", plain([])) == []


def test_nul_is_a_fault_of_the_data():
    with pytest.raises(psycopg.DataError):
        read("text", texts(["a\0b"]))
