"""The table of outcomes, row by row."""

from collections.abc import Collection
from dataclasses import dataclass, field
from random import Random
from uuid import UUID, uuid4

import pytest

from sms_backend.messages.inquiries import Ask
from sms_backend.messages.settle import Settlement
from sms_backend.pipeline.retry import LOOKED_UP, NO_EXTRAS, Waits, backoff, settlement
from sms_backend.routing.candidates import Candidate, Snapshot
from sms_backend.routing.selection import Choice, Now, choose
from sms_contract.status import Status
from sms_providers.errors import (
    MisconfiguredError,
    NotSentError,
    RefusedError,
    SendError,
    UnavailableError,
    UnknownOutcomeError,
    UnsuitableError,
)
from sms_providers.types import Accepted, Capabilities, Reports


@dataclass
class Message:
    id: UUID = field(default_factory=uuid4)
    attempts: int = 0
    round: int = 0
    tried: list[str] = field(default_factory=list)
    unsuitable: list[str] = field(default_factory=list)
    resends: int = 0
    failovers: int = 0
    lane: str = "transactional"
    on_unknown: str = "resend"


def settle(message: Message, provider: str, result: Accepted | SendError, *slugs: str, ill=(), capabilities=NO_EXTRAS) -> Settlement:
    snapshot = Snapshot([Candidate(slug=slug, priority=-n) for n, slug in enumerate(slugs)])

    def chosen(tried: Collection[str], unsuitable: Collection[str]) -> Choice:
        return choose(
            snapshot,
            mode="live",
            recipient="+447911123456",
            wanted=(),
            tried=tried,
            unsuitable=unsuitable,
            rng=Random(1),
            now=Now(open_circuits=ill),
        )

    return settlement(
        message,
        provider=provider,
        result=result,
        choose=chosen,
        waits=Waits(unknown=60, unknown_otp=15),
        rng=Random(1),
        capabilities=capabilities,
    )


def test_accepted_is_sent_with_the_providers_id() -> None:
    settled = settle(Message(), "alpha", Accepted(message_id="SM1"), "alpha")
    assert (settled.status, settled.provider, settled.provider_message_id, settled.next_after) == (Status.SENT, "alpha", "SM1", None)


@pytest.mark.parametrize("error", [NotSentError("x"), UnavailableError("x"), MisconfiguredError("x"), UnsuitableError("x")])
def test_the_next_provider_of_the_round_at_once(error: SendError) -> None:
    settled = settle(Message(), "alpha", error, "alpha", "beta")
    assert (settled.status, settled.next_after) == (Status.QUEUED, 0.0)
    assert "alpha" in [*settled.tried, *settled.unsuitable]
    assert not settled.refund


def test_a_round_that_is_over_is_followed_by_the_next_after_a_backoff() -> None:
    settled = settle(Message(tried=["alpha"], round=2), "beta", UnavailableError("x"), "alpha", "beta")
    assert (settled.status, settled.round, settled.tried) == (Status.QUEUED, 3, [])
    assert settled.next_after is not None
    assert 0 <= settled.next_after <= 8


def test_retry_after_is_honoured_when_nobody_else_is_left() -> None:
    assert settle(Message(), "alpha", UnavailableError("x", retry_after=30, throttled=True), "alpha").next_after == 30


def test_whom_everyone_calls_unsuitable_fails_with_a_refund() -> None:
    message = Message(unsuitable=["alpha"])
    settled = settle(message, "beta", UnsuitableError("no such sender", provider_code="21606"), "alpha", "beta")
    assert (settled.status, settled.error_code, settled.refund) == (Status.FAILED, "sender.not_allowed", True)


def test_one_that_is_merely_ill_keeps_a_message_alive_that_others_call_unsuitable() -> None:
    settled = settle(Message(tried=["alpha"]), "beta", UnsuitableError("x"), "alpha", "beta")
    assert (settled.status, settled.unsuitable, settled.tried, settled.round) == (Status.QUEUED, ["beta"], [], 1)


def test_a_refusal_ends_it_without_failover() -> None:
    settled = settle(Message(), "alpha", RefusedError("bad number", code="recipient.invalid_number"), "alpha", "beta")
    assert (settled.status, settled.error_code, settled.refund) == (Status.FAILED, "recipient.invalid_number", True)


@pytest.mark.parametrize(("lane", "wait"), [("transactional", 60), ("otp", 15)])
def test_an_unknown_outcome_never_fails_over_by_itself(lane: str, wait: float) -> None:
    settled = settle(Message(lane=lane), "alpha", UnknownOutcomeError("no answer"), "alpha", "beta")
    assert (settled.status, settled.unknown_for, settled.next_after, settled.refund) == (Status.SENDING, wait, None, False)


def test_after_a_resend_a_refusal_does_not_hide_that_the_first_may_have_arrived() -> None:
    settled = settle(Message(resends=1), "beta", RefusedError("bad"), "alpha", "beta")
    assert (settled.status, settled.refund) == (Status.UNKNOWN, False)


def test_backoff_grows_to_its_ceiling_and_never_past_it() -> None:
    rng = Random(7)
    assert all(0 <= backoff(n, rng) <= min(300, 2 * 2**n) for n in range(12) for _ in range(50))
    assert max(backoff(40, rng) for _ in range(200)) > 200


def test_while_the_others_are_ill_no_round_is_used_up() -> None:
    settled = settle(Message(tried=["beta"]), "alpha", UnavailableError("x"), "alpha", "beta", ill=("alpha", "beta"))
    assert (settled.status, settled.round, settled.tried, settled.next_after) == (Status.QUEUED, 0, ["beta", "alpha"], 0.0)
    settled = settle(Message(), "alpha", UnsuitableError("x"), "alpha", "beta", ill=("beta",))
    assert (settled.status, settled.unsuitable) == (Status.QUEUED, ["alpha"])


@pytest.mark.parametrize(
    ("lane", "policy", "look_up", "wait"),
    [
        ("transactional", "resend", False, 60),
        ("transactional", "resend", True, LOOKED_UP),
        ("transactional", "hold", True, LOOKED_UP),
        ("otp", "resend", True, 15),
        ("otp", "hold", True, LOOKED_UP),
        ("otp", "hold", False, 15),
    ],
)
def test_the_policy_waits_for_a_look_up_where_there_is_one(lane: str, policy: str, look_up: bool, wait: float) -> None:
    settled = settle(
        Message(lane=lane, on_unknown=policy), "alpha", UnknownOutcomeError("x"), "alpha", capabilities=Capabilities(look_up=look_up)
    )
    assert (settled.unknown_for, settled.ask) == (wait, Ask.LOOK_UP if look_up else None)


def test_reports_that_do_not_come_by_themselves_are_asked_for() -> None:
    taken = Accepted(message_id="SM1")
    assert settle(Message(), "alpha", taken, "alpha", capabilities=Capabilities(reports=Reports.POLLED)).ask is Ask.POLL
    assert settle(Message(), "alpha", taken, "alpha").ask is None
