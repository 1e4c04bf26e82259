"""What there is to see: a client that sends, providers that carry and that fail, webhooks, suppressions, parked messages."""

import json
from dataclasses import dataclass
from uuid import uuid4

from system import Provider, Sender, System, until

#: From the numbers that Ofcom keeps for drama: nobody has them.
NUMBERS = [f"+4477009001{index:02d}" for index in range(20)]
SUPPRESSED = "+447700900199"
TEXT = "Your parcel is on its way."


@dataclass(frozen=True)
class Stage:
    sender: Sender
    good: Provider
    bad: Provider  #: what it is given, it refuses
    delivered: list[str]
    failed: str


def prepare(system: System) -> Stage:
    """By the operator's commands and the API, as anybody would."""
    client = next((each for each in system.manage("client", "list") if each["name"] == "acme"), None) or system.manage(
        "client", "add", "acme", "--default-sender=ACME", "--daily-quota=50000"
    )
    key = system.manage("key", "add", "acme")
    sender = Sender(system=system, name="acme", id=client["id"], key=key["key"])
    good = _provider(system, "northwind", priority=10)
    bad = _provider(
        system, "contoso", priority=0, rules=[{"action": "refuse", "http_status": 400, "code": 21612, "message": "not reachable"}]
    )
    until(lambda: {good.slug, bad.slug} <= set(_providers(sender)), what="the providers known to the gateway")
    sent = [sender.send(to, text=TEXT, providers=[good.slug], reference=f"order-{n}").json()["tracking_id"] for n, to in enumerate(NUMBERS)]
    refused = sender.send(NUMBERS[0], text=TEXT, providers=[bad.slug], reference="order-99").json()["tracking_id"]
    for tracking_id in (*sent, refused):
        sender.final(tracking_id)
    system.manage("suppression", "add", "acme", SUPPRESSED)
    if not system.manage("webhook", "list", "acme"):
        system.manage("webhook", "add", "acme", "https://hooks.example.com/sms")
        system.manage("number", "add", "+447700900000", "--client=acme")
    return Stage(sender=sender, good=good, bad=bad, delivered=sent, failed=refused)


def _providers(sender: Sender) -> list[str]:
    answer = sender.look()
    return [] if answer.status_code != 200 else list(answer.json()["providers"])


def _provider(system: System, slug: str, *, priority: int, **behaviour: object) -> Provider:
    number = uuid4().hex
    if any(each["slug"] == slug for each in system.manage("provider", "list")):
        return Provider(slug=slug, account_sid="", auth_token="")  # of an earlier run in the same system
    made = Provider(slug=slug, account_sid=f"AC{number}", auth_token=uuid4().hex)
    system.behave(made, **behaviour)
    config = {"account_sid": made.account_sid, "auth_token": made.auth_token, "base_url": system.simulator}
    system.manage("provider", "add", slug, "--adapter=twilio", f"--priority={priority}", "--config=-", feed=json.dumps(config))
    return made
