"""Which way a message would go now, by the rules that dispatch goes by; nothing is sent, stored or counted."""

from collections.abc import Sequence
from random import Random
from typing import Any

from sms_backend.accounts.models import Client
from sms_backend.core.errors import InvalidError
from sms_backend.routing import conditions
from sms_backend.routing.candidates import Snapshot
from sms_backend.routing.models import Pause
from sms_backend.routing.selection import Because, Choice, Now, choose
from sms_backend.routing.selectors import read
from sms_contract.phone import is_allowed, is_possible, is_sender
from sms_contract.status import Mode


class _Heaviest(Random):
    """Always draws the first of the equals: where only the order is wanted, the likeliest one."""

    def random(self) -> float:
        return 0.0


def explain(
    client: Client, *, to: str, sender: str | None = None, lane: str, wanted: Sequence[str] = (), mode: str = Mode.LIVE
) -> dict[str, Any]:
    """Who would be tried in which order, and who not and why. Raises `InvalidError`."""
    if not is_possible(to):
        raise InvalidError({"to": "it is no possible number; give E.164 such as +447911123456"})
    if sender is not None and not is_sender(sender):
        raise InvalidError({"from": f"{sender!r} is no sender"})
    sender = sender or client.default_sender
    providers = read()
    known = conditions.read(providers.monitored)
    now = Now(
        open_circuits=known.circuits,
        paused=providers.paused_for(client.id, lane),
        avoided=known.avoided_by(client.id, sender),
    )
    choices, end = route(providers, to=to, wanted=wanted, mode=mode, now=now)
    return {
        "client": client.name,
        "mode": mode,
        "to": to,
        "from": sender,
        "traffic_type": lane,
        "refused": _refused(client, to, sender),
        "held": _held(client, lane),
        "tried": [_step(providers, choice) for choice in choices],
        "skipped": {slug: why.value for slug, why in end.skipped.items() if slug not in {choice.provider for choice in choices}},
        "waits": end.chosen_because.value if not choices else None,
    }


def route(providers: Snapshot, *, to: str, wanted: Sequence[str], mode: str, now: Now) -> tuple[list[Choice], Choice]:
    """The choices of one round in which everyone says "not now", and the one that ends it. Pure."""
    made: list[Choice] = []
    while True:
        tried = [choice.provider for choice in made if choice.provider is not None]
        choice = choose(providers, mode=mode, recipient=to, wanted=wanted, tried=tried, rng=_Heaviest(), now=now)
        if choice.provider is None:
            return made, choice
        made.append(choice)


def _step(providers: Snapshot, choice: Choice) -> dict[str, Any]:
    assert choice.provider is not None
    chosen = providers.by_slug[choice.provider]
    share = None
    if choice.chosen_because is Because.WEIGHT:
        passed_over = set(choice.skipped)
        equals = [c for c in providers.ordered if c.active and not c.test and c.priority == chosen.priority and c.slug not in passed_over]
        share = round(chosen.weight / sum(c.weight for c in equals), 3)
    return {
        "provider": chosen.slug,
        "because": choice.chosen_because.value,
        "priority": chosen.priority,
        "weight": chosen.weight,
        "share": share,
        "throughput": chosen.throughput,
    }


def _refused(client: Client, to: str, sender: str | None) -> list[str]:
    """What the gateway would say before anybody is tried."""
    found = []
    if client.suspended:
        found.append("client.suspended")
    if not is_allowed(to, client.countries, client.denied):
        found.append("recipient.country_blocked")
    if sender is not None and client.senders and sender not in client.senders:
        found.append("sender.invalid")
    return found


def _held(client: Client, lane: str) -> list[str]:
    pauses = Pause.objects.filter(provider=None).select_related("client")
    return [str(pause) for pause in pauses if pause.client_id in {None, client.id} and pause.lane in {None, lane}]
