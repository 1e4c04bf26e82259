"""The history: who may read what, paging while messages arrive, one message's story, tables, and what is refused."""

import csv
import io
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client as Browser
from django.utils import timezone

from sms_backend.accounts import keys
from sms_backend.accounts.models import ApiKey, Client
from sms_backend.history import api, auth
from sms_backend.history.views import COLUMNS
from sms_backend.messages import search
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.models import Attempt, Message, Receipt
from sms_backend.messages.store import store
from sms_contract.envelope import Submission
from sms_contract.ids import uuid7

Make = Callable[..., Submission]
SECRET = "s" * 43
LIST = "/v1/history/messages"


@pytest.fixture(autouse=True)
def _nobody_has_failed() -> Iterator[None]:
    auth.throttle.forget()
    yield
    auth.throttle.forget()


@pytest.fixture
def key(client: Client) -> ApiKey:
    return ApiKey.objects.create(id="k3y", client=client, hash=keys.key_hash(SECRET), scopes=["messages:read"])


@pytest.fixture
def get(key: ApiKey) -> Callable[..., Any]:
    def ask(path: str = LIST, headers: dict[str, str] | None = None, **query: Any) -> Any:
        named = {"API-Key": keys.key_text("live", key.id, SECRET)} if headers is None else headers
        return Browser(raise_request_exception=False).get(path, query, headers=named)

    return ask


def refused(response: Any, status: int, code: str) -> dict[str, Any]:
    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json"), response.content
    problem: dict[str, Any] = response.json()
    assert (problem["code"], problem["status"]) == (code, status)
    assert problem["type"].endswith(f"/errors#{code}")
    assert response["X-Request-ID"]
    return problem


def ids(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [message["tracking_id"] for message in response.json()["data"]]


class TestList:
    def test_the_newest_come_first_as_everybody_sees_them(self, get: Any, stored: Make) -> None:
        first, second = stored(reference="order-1", metadata={"a": "b"}), stored(tracking_id=uuid7(time.time_ns() // 1_000_000 + 5))
        response = get()
        assert ids(response) == [second.tracking_id, first.tracking_id]
        shown = response.json()["data"][1]
        assert (shown["status"], shown["to"], shown["from"], shown["metadata"]) == ("queued", first.to, None, {"a": "b"})
        assert (shown["segments"], shown["provider"], shown["error"]) == ({"count": 1, "encoding": "gsm7", "characters": 19}, None, None)
        assert response.json()["next_cursor"] is None
        assert response["Cache-Control"] == "private, no-store"

    def test_pages_stay_right_while_messages_arrive(self, get: Any, submission: Make) -> None:
        at = time.time_ns() // 1_000_000 - 60_000
        old = [submission(tracking_id=uuid7(at + n)) for n in range(25)]
        with hot_cursor() as cursor:
            store(cursor, old)
        seen: list[str] = []
        response = get(limit=10)
        while True:
            seen += ids(response)
            with hot_cursor() as cursor:
                store(cursor, [submission()])
            cursor_text = response.json()["next_cursor"]
            if cursor_text is None:
                break
            response = get(limit=10, cursor=cursor_text)
        assert seen == [s.tracking_id for s in reversed(old)]
        assert len(ids(get())) == 28

    def test_each_filter_narrows(self, get: Any, stored: Make) -> None:
        batch = uuid7(time.time_ns() // 1_000_000)
        wanted = stored(reference="r", to="+447911123456", batch_id=batch)
        Message.objects.filter(id=wanted.tracking_id).update(status="sent", provider="alpha")
        stored(), stored(reference="R")
        for narrowed in ({"status": "sent"}, {"reference": "r"}, {"to": wanted.to}, {"batch_id": batch}, {"provider": "alpha"}):
            assert ids(get(**narrowed)) == [wanted.tracking_id], narrowed
        assert ids(get(status="sent", provider="beta")) == []
        # As a link would have it, without %2B.
        assert ids(get(f"{LIST}?to={wanted.to}&status=&cursor=")) == [wanted.tracking_id]

    def test_since_and_until_are_moments_of_acceptance(self, get: Any, stored: Make) -> None:
        at = 1_795_000_000_000  # 2026-11-18T11:06:40Z
        early, late = stored(tracking_id=uuid7(at)), stored(tracking_id=uuid7(at + 1000))
        assert ids(get(since="2026-11-18T11:06:41Z")) == [late.tracking_id]
        assert ids(get(until="2026-11-18T12:06:41+01:00")) == [early.tracking_id]
        assert ids(get(since="2026-11-18T11:06:40Z", until="2026-11-18T11:06:41Z")) == [early.tracking_id]
        assert len(ids(get(since="0001-01-01T00:00:00Z", until="9999-12-31T23:59:59Z"))) == 2

    def test_a_search_for_what_no_index_knows_looks_through_so_many_and_goes_on(
        self, get: Any, stored: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(search, "LOOK_THROUGH", 3)
        made = [stored(tracking_id=uuid7(time.time_ns() // 1_000_000 + n)) for n in range(8)]
        Message.objects.filter(id=made[0].tracking_id).update(status="sent")
        pages, cursor = [], ""
        while cursor is not None:
            response = get(status="sent", cursor=cursor)
            pages.append(ids(response))
            cursor = response.json()["next_cursor"]
        assert pages == [[], [], [made[0].tracking_id]]

    def test_aliases_are_named(self, get: Any, stored: Make) -> None:
        first, again = stored(idempotency="k" * 32), stored(idempotency="k" * 32)
        assert get().json()["data"][0]["aliases"] == [again.tracking_id]
        assert ids(get()) == [first.tracking_id]

    def test_nobody_sees_what_is_another_clients(self, get: Any, stored: Make) -> None:
        other = stored(client="somebodyelse", reference="r", batch_id=uuid7(1))
        assert ids(get(to=other.to)) == ids(get(reference="r")) == ids(get(batch_id=other.batch_id)) == []
        problem = refused(get(f"{LIST}/{other.tracking_id}"), 404, "message.not_found")
        assert problem == refused(get(f"{LIST}/{uuid7(1)}"), 404, "message.not_found")


class TestParameters:
    def test_all_that_is_wrong_is_said_at_once(self, get: Any) -> None:
        problem = refused(get(limit=0, status="gone", x="y"), 422, "request.invalid")
        assert {mistake["pointer"] for mistake in problem["errors"]} == {"/limit", "/status", "/x"}
        refused(get(f"{LIST}.csv", limit=5), 422, "request.invalid")

    def test_a_cursor_is_good_for_its_own_search_only(self, get: Any, stored: Make, key: ApiKey) -> None:
        stored(), stored()
        cursor = get(limit=1).json()["next_cursor"]
        assert len(ids(get(limit=5, cursor=cursor))) == 1
        refused(get(status="queued", cursor=cursor), 422, "request.invalid")
        refused(get(cursor=cursor[:-1] + ("A" if cursor[-1] != "A" else "B")), 422, "request.invalid")
        Client.objects.create(id="other", name="other")
        ApiKey.objects.filter(id=key.id).update(client_id="other")
        refused(get(cursor=cursor), 422, "request.invalid")


class TestStory:
    def test_every_attempt_and_report_is_told(self, get: Any, stored: Make) -> None:
        made, again = stored(idempotency="k" * 32), stored(idempotency="k" * 32)
        now = timezone.now()
        for number, (provider, outcome) in enumerate([("beta", "unavailable"), ("alpha", "accepted")], start=1):
            Attempt.objects.create(
                message_id=made.tracking_id, number=number, provider=provider, outcome=outcome, decision={"why": "secret"}, started_at=now
            )
        Receipt.objects.create(
            id=uuid7(made.reserved_at), message_id=made.tracking_id, attempt=2, provider="alpha", status="delivered", received_at=now
        )
        response = get(f"{LIST}/{made.tracking_id}")
        story = response.json()
        assert (story["tracking_id"], story["aliases"]) == (made.tracking_id, [again.tracking_id])
        assert [(a["number"], a["provider"], a["outcome"]) for a in story["attempts"]] == [
            (1, "beta", "unavailable"),
            (2, "alpha", "accepted"),
        ]
        assert [(r["attempt"], r["status"], r["error"]) for r in story["reports"]] == [(2, "delivered", None)]
        # Neither the text nor how we choose.
        assert b"secret" not in response.content
        assert made.text.encode() not in response.content
        assert get(f"{LIST}/{again.tracking_id}").json() == story

    def test_a_malformed_id_is_not_found(self, get: Any) -> None:
        for path in ("x", "0192F0C1-8000-7ABC-8DEF-0123456789AB", "%00"):
            refused(get(f"{LIST}/{path}"), 404, "message.not_found")

    def test_it_takes_no_parameter(self, get: Any, stored: Make) -> None:
        refused(get(f"{LIST}/{stored().tracking_id}", limit=1), 422, "request.invalid")


class TestTable:
    def test_all_rows_come_with_a_line_of_names(self, get: Any, stored: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sms_backend.history.views._AT_ONCE", 2)
        made = [stored(tracking_id=uuid7(time.time_ns() // 1_000_000 + n), reference=f'a "quote", {n}\nline') for n in range(5)]
        response = get(f"{LIST}.csv", to=made[0].to)
        assert response["Content-Type"] == "text/csv; charset=utf-8"
        assert response.streaming
        lines = list(csv.DictReader(io.StringIO(response.getvalue().decode(), newline="")))
        assert tuple(lines[0]) == COLUMNS
        assert [(line["tracking_id"], line["reference"]) for line in lines] == [(s.tracking_id, s.reference) for s in reversed(made)]
        assert (lines[0]["is_final"], lines[0]["metadata"], lines[0]["provider"], lines[0]["segments"]) == ("false", "{}", "", "1")

    def test_only_so_many_are_written_at_a_time(self, get: Any, stored: Make) -> None:
        stored()
        open_ones = [get(f"{LIST}.csv") for _ in range(api.TABLES)]
        refused(get(f"{LIST}.csv"), 503, "overloaded")
        for response in open_ones:
            response.close()
        assert get(f"{LIST}.csv").status_code == 200


class TestKeys:
    def test_bearer_is_accepted_too(self, get: Any, key: ApiKey) -> None:
        assert get(headers={"Authorization": f"Bearer {keys.key_text('live', key.id, SECRET)}"}).status_code == 200

    def test_a_wrong_key_is_refused_whatever_is_wrong_with_it(self, get: Any) -> None:
        for presented in ("", "nonsense", "sgw_live_k3y_wrong", f"sgw_test_k3y_{SECRET}", f"sgw_live_other_{SECRET}", "sgw_live_k3y_é"):
            response = get(headers={"API-Key": presented})
            refused(response, 401, "auth.invalid_key")
            assert response["WWW-Authenticate"] == "Bearer"

    def test_no_key_is_refused(self, get: Any) -> None:
        refused(get(headers={}), 401, "auth.missing_key")
        # The key comes first: strangers learn nothing about parameters.
        refused(get(f"{LIST}?limit=0", headers={}), 401, "auth.missing_key")

    def test_a_key_is_good_for_what_it_is_for(self, get: Any, key: ApiKey) -> None:
        now = timezone.now()
        for changes, status, code in (
            ({"revoked_at": now}, 401, "auth.invalid_key"),
            ({"revoked_at": None, "expires_at": now - timedelta(seconds=1)}, 401, "auth.invalid_key"),
            ({"expires_at": None, "scopes": ["messages:send"]}, 403, "auth.scope"),
            ({"scopes": ["messages:read"], "networks": ["10.0.0.0/8"]}, 403, "auth.network"),
        ):
            ApiKey.objects.filter(id=key.id).update(**changes)
            refused(get(), status, code)

    def test_a_key_works_from_its_networks_and_until_it_expires(self, get: Any, key: ApiKey) -> None:
        ApiKey.objects.filter(id=key.id).update(networks=["127.0.0.0/8", "::1"], expires_at=timezone.now() + timedelta(hours=1))
        assert get().status_code == 200

    def test_a_suspended_client_may_read(self, get: Any, stored: Make) -> None:
        made = stored()
        Client.objects.update(suspended=True)
        assert ids(get()) == [made.tracking_id]

    def test_who_fails_too_often_waits_and_a_valid_key_passes(self, get: Any) -> None:
        for _ in range(auth.Throttle.LIMIT):
            refused(get(headers={"API-Key": "x"}), 401, "auth.invalid_key")
        response = get(headers={"API-Key": "x"})
        refused(response, 429, "auth.throttled")
        assert 0 < int(response["Retry-After"]) <= 60
        assert get().status_code == 200


class TestEdge:
    def test_a_request_keeps_the_name_it_came_with(self, get: Any, key: ApiKey) -> None:
        named = {"API-Key": keys.key_text("live", key.id, SECRET)}
        assert get(headers={**named, "X-Request-ID": "abc-1"})["X-Request-ID"] == "abc-1"
        assert get(headers={**named, "X-Request-ID": "not sane\x7f"})["X-Request-ID"] != "not sane\x7f"

    def test_paths_and_methods_that_there_are_not(self, get: Any) -> None:
        refused(get("/v1/history/nothing"), 404, "route.not_found")
        refused(get("/v1/history/"), 404, "route.not_found")
        response = Browser().post(LIST)
        refused(response, 405, "request.method_not_allowed")
        assert "GET" in response["Allow"]

    def test_what_breaks_is_a_problem_too(self, get: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_: object, **__: object) -> None:
            raise RuntimeError("text of a message")

        monkeypatch.setattr(api, "page", broken)
        response = get()
        refused(response, 500, "internal")
        assert b"text of" not in response.content

    def test_a_database_that_is_away_is_a_503(self, get: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(*_: object, **__: object) -> None:
            raise OperationalError("connection refused")

        monkeypatch.setattr(api, "page", away)
        response = get()
        refused(response, 503, "cache.unavailable")
        assert int(response["Retry-After"]) > 0

    def test_the_console_is_not_concerned(self, get: Any) -> None:
        assert "X-Request-ID" not in get("/healthz")
