"""Reports per part, from vendors that post them so: all delivered is delivered, any other is not, whatever their order."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sms_backend.core.crypto import seal
from sms_backend.core.environment import environment
from sms_backend.messages.models import Attempt, AttemptPart, Message, Receipt
from sms_backend.pipeline import upkeep
from sms_backend.pipeline.adapters import adapters
from sms_backend.pipeline.dispatch import dispatch
from sms_backend.routing import selectors
from sms_backend.routing.callback_urls import account_url
from sms_backend.routing.models import Provider

from .postbox import Postbox, opened

#: Two parts.
LONG = "x" * 200
CONFIGS: dict[str, dict[str, str]] = {
    "vonage": {"account_key": "user", "api_secret": "the-key", "signature_secret": "signed"},
    "plivo": {"auth_id": "MAUSER", "auth_token": "the-key"},
}
SIDS = {"vonage": "user", "plivo": "MAUSER"}


@pytest.fixture
def postbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Postbox]:
    with opened() as box:
        before = environment.public_base_url
        object.__setattr__(environment, "public_base_url", box.url)
        yield box
        object.__setattr__(environment, "public_base_url", before)


Account = Callable[..., Provider]


@pytest.fixture(params=list(CONFIGS))
def parted(request: pytest.FixtureRequest, vendor: object, simulator: Any, postbox: Postbox) -> Callable[..., None]:
    """An account at a vendor that reports each part, and how its reports are: a list of statuses for each part."""
    return account(request.param, simulator)


@pytest.fixture
def vonage(vendor: object, simulator: Any, postbox: Postbox) -> Callable[..., None]:
    return account("vonage", simulator)


def account(adapter: str, simulator: Any) -> Callable[..., None]:
    made = Provider.objects.create(slug="alpha", adapter=adapter, config=seal(CONFIGS[adapter] | {"base_url": simulator.url}))
    adapters.forget()
    selectors.forget()

    def behave(*parts: list[str], **more: object) -> None:
        reports = {"parts": [[{"status": status} for status in part] for part in parts], "statuses": []} | dict(more.pop("reports", {}))  # type: ignore[call-overload]
        settings = {"vendor": adapter, "auth_token": "the-key", "signature_secret": "signed"}
        settings |= {"reports_url": account_url("alpha", made.callback_token)} if adapter == "vonage" else {}
        simulator.call(f"accounts/{SIDS[adapter]}", settings | {"behaviour": {"reports": reports} | more})

    return behave


def send(live: Callable[..., Any], **fields: Any) -> Any:
    made = live(sender="ACME", text=LONG, segments=2, characters=len(LONG), **fields)
    dispatch("transactional", until=0)
    return made


def status(made: Any) -> str:
    return Message.objects.get(id=made.tracking_id).status


def test_it_is_delivered_once_every_part_is(parted, simulator, live, postbox: Postbox) -> None:
    parted(["delivered"], ["delivered"])
    made = send(live)
    first, second = postbox.wait(2)
    first.judge()
    first.judge()
    assert status(made) == "sent", "a report that comes twice is one"
    second.judge()
    assert status(made) == "delivered"
    assert (len(simulator.entries()), Receipt.objects.filter(applied_at=None).count()) == (1, 0)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 3, 1, 0)])
def test_success_of_one_part_never_hides_the_error_of_another(parted, live, postbox: Postbox, order: tuple[int, ...]) -> None:
    parted(["sent", "undelivered"], ["sent", "delivered"])
    made = send(live)
    posts = postbox.wait(4)
    for index in order:
        posts[index].judge()
    ended = Message.objects.get(id=made.tracking_id)
    assert (ended.status, ended.error_code, ended.delivered_at) == ("undelivered", "recipient.unreachable", None)
    assert Attempt.objects.get().report == "undelivered"
    assert sorted(AttemptPart.objects.values_list("report", flat=True)) == ["delivered", "undelivered"]


def test_a_part_without_a_report_leaves_it_open(parted, live, postbox: Postbox) -> None:
    parted(["delivered"], [])
    made = send(live)
    postbox.wait(1)[0].judge()
    assert status(made) == "sent"


def test_an_answer_that_never_came_is_found_out_by_reports_that_name_our_reference(vonage, simulator, live, postbox: Postbox) -> None:
    vonage(["delivered"], ["delivered"], rules=[{"action": "accept_then_reset"}])
    made = send(live)
    assert (status(made), Attempt.objects.get().provider_message_id) == ("sending", None)
    first, second = postbox.wait(2)
    first.judge()
    assert status(made) == "sent", "one part of two says that the vendor has it, no more"
    second.judge()
    assert status(made) == "delivered"
    assert Attempt.objects.get().provider_message_id in simulator.sids() + [part.part for part in AttemptPart.objects.all()]
    assert len(simulator.entries()) == 1


def test_reports_on_parts_before_the_answer_wait_for_it(vonage, live, postbox: Postbox) -> None:
    vonage(["undelivered"], ["delivered"])
    made = send(live)
    posts = list(postbox.wait(2))
    # As it was while the answer was under way: none of the ids are known.
    Attempt.objects.update(outcome="started", provider_message_id=None)
    AttemptPart.objects.all().delete()
    Message.objects.update(status="sending")
    for post in reversed(posts):
        post.judge()
    assert status(made) == "sending", "the second part alone would have said delivered"
    Attempt.objects.update(outcome="unknown")
    upkeep.sweep()
    assert status(made) == "undelivered"
    assert not Receipt.objects.filter(applied_at=None).exists()


def test_a_reference_means_attempts_of_the_account_that_reports_alone(vonage, live, postbox: Postbox) -> None:
    vonage(["delivered"], ["delivered"], rules=[{"action": "accept_then_reset"}])
    made = send(live)
    posts = postbox.wait(2)
    Attempt.objects.update(provider="beta")
    for post in posts:
        post.judge()
    assert status(made) == "sending"
    assert Receipt.objects.filter(applied_at=None).count() == 2
