"""The parameters of the history, its cursors, and whom it believes an address."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.http import QueryDict
from django.test import RequestFactory

from sms_backend.core import peers
from sms_backend.history.problems import Problem
from sms_backend.history.query import Filters, Listing, Nothing, cursor_of, place_of, read, search_of

ID = "0192f0c1-8000-7abc-8def-0123456789ab"


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/limit"),
        ("limit=1001", "/limit"),
        ("limit=ten", "/limit"),
        ("limit=1e2", "/limit"),
        ("status=gone", "/status"),
        ("status=null", "/status"),
        ("to=447911123456", "/to"),
        ("to=%2B44791112345678901", "/to"),
        ("batch_id=7", "/batch_id"),
        ("batch_id=0192F0C1-8000-7ABC-8DEF-0123456789AB", "/batch_id"),
        ("reference=a%00b", "/reference"),
        ("reference=" + "x" * 129, "/reference"),
        ("provider=%27", "/provider"),
        ("since=yesterday", "/since"),
        ("since=2026-13-01T00:00:00Z", "/since"),
        ("since=0001-01-01T00:00:00%2B14:00", "/since"),
        ("until=2026-11-18T11:06:41", "/until"),
        ("cursor=" + "x" * 201, "/cursor"),
        ("colour=red", "/colour"),
        ("a~b%2Fc=1", "/a~0b~1c"),
        ("limit=5&limit=6", "/limit"),
    ],
)
def test_what_cannot_be_meant_is_refused(query: str, pointer: str) -> None:
    with pytest.raises(Problem) as caught:
        read(Listing, QueryDict(query))
    assert [mistake.pointer for mistake in caught.value.errors or ()] == [pointer]
    assert "yesterday" not in str(caught.value.errors)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(Problem) as caught:
        read(Filters, QueryDict("status=gone&to=x&limit=5"))
    assert {mistake.pointer for mistake in caught.value.errors or ()} == {"/status", "/to", "/limit"}
    with pytest.raises(Problem):
        read(Nothing, QueryDict("limit=5"))


def test_what_is_empty_is_not_given() -> None:
    assert read(Listing, QueryDict("status=&to=&reference=&batch_id=&provider=&since=&until=&limit=&cursor=")) == Listing()


def test_a_plus_that_came_as_a_space_is_a_plus() -> None:
    query = read(Filters, QueryDict("to=+447911123456&since=2026-11-18T12:06:40+01:00&reference=a+b"))
    assert (query.to, query.reference) == ("+447911123456", "a b")
    assert search_of(query, "c").since == datetime(2026, 11, 18, 11, 6, 40, tzinfo=UTC)


def test_a_cursor_comes_back_as_it_was_handed_out() -> None:
    search = search_of(read(Filters, QueryDict("status=sent&since=2026-11-18T12:06:40Z")), "c")
    cursor = cursor_of(search, UUID(ID))
    assert place_of(search, cursor) == UUID(ID)
    assert len(cursor) <= 200
    others = [search_of(read(Filters, QueryDict("status=sent")), "c"), search_of(read(Filters, QueryDict("status=sent")), "d")]
    for wrong in (*((other, cursor) for other in others), (search, cursor[:-2]), (search, "x" + cursor), (search, ID)):
        with pytest.raises(Problem):
            place_of(*wrong)


@pytest.mark.parametrize(
    ("forwarded", "trusted", "expected"),
    [
        ("203.0.113.9", [], "127.0.0.1"),
        ("203.0.113.9", ["127.0.0.1"], "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9", ["127.0.0.0/8"], "203.0.113.9"),
        ("203.0.113.9, 10.1.2.3", ["127.0.0.1", "10.0.0.0/8"], "203.0.113.9"),
        ("", ["127.0.0.1"], "127.0.0.1"),
        ("nonsense", ["127.0.0.1"], "nonsense"),
    ],
)
def test_only_trusted_proxies_say_whom_they_speak_for(
    forwarded: str, trusted: list[str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "environment", type("Environment", (), {"trusted_proxies": trusted}))
    request = RequestFactory().get("/", headers={"X-Forwarded-For": forwarded})
    assert peers.peer(request) == expected
