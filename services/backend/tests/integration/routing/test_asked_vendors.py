"""Vendors whose reports have to be asked for, from the queue to the report: adapter, pipeline and simulator; its ledger is the oracle."""

from typing import Any

import pytest

from sms_backend.core.crypto import seal
from sms_backend.messages.inquiry_models import Inquiry
from sms_backend.messages.models import Attempt, Message
from sms_backend.pipeline import upkeep
from sms_backend.pipeline.adapters import adapters
from sms_backend.pipeline.dispatch import dispatch
from sms_backend.routing import selectors
from sms_backend.routing.models import Provider

CONFIGS: dict[str, dict[str, str]] = {
    "kavenegar": {"api_key": "the-key"},
    "magfa": {"username": "user", "domain": "magfa", "password": "the-key", "sender": "98300073"},
}


@pytest.fixture(params=list(CONFIGS))
def asked(request: pytest.FixtureRequest, vendor: object, simulator: Any) -> str:
    config = CONFIGS[request.param] | {"base_url": simulator.url}
    Provider.objects.create(slug="alpha", adapter=request.param, config=seal(config))
    adapters.forget()
    selectors.forget()
    return request.param


def ask() -> None:
    Inquiry.objects.update(due_at="2020-01-01T00:00:00Z")
    upkeep.inquire()


def test_a_ghost_is_found_and_its_report_fetched(asked, simulator, live) -> None:
    simulator.behave(asked, rules=[{"action": "accept_then_reset"}])
    made = live()
    dispatch("transactional", until=0)
    assert Message.objects.get(id=made.tracking_id).status == "sending"
    ask()
    found = Message.objects.get(id=made.tracking_id)
    assert found.provider_message_id in simulator.sids()
    ask()
    assert Message.objects.get(id=made.tracking_id).status == "delivered"
    assert (len(simulator.sids()), Attempt.objects.count()) == (1, 1)


def test_what_was_never_there_is_asked_for_twice_and_sent_again(asked, simulator, live) -> None:
    simulator.behave(asked, rules=[{"action": "reset", "first": 1}])
    made = live()
    dispatch("transactional", until=0)
    ask()
    ask()
    assert Attempt.objects.get().outcome == "not_sent"
    Message.objects.update(next_attempt_at="2020-01-01T00:00:00Z")
    dispatch("transactional", until=0)
    ask()
    assert Message.objects.get(id=made.tracking_id).status == "delivered"
    assert len(simulator.sids()) == 1
