"""Messages as every vendor keeps them."""

import time

import msgspec

from sms_simulators.behaviour import Step


class Order(msgspec.Struct, kw_only=True, frozen=True):
    """What a request asks to send, in words of no vendor."""

    to: str
    sender: str
    body: str
    callback_url: str | None = None
    reference: str | None = None  #: the sender's own, where the vendor carries one
    messaging_service: str | None = None
    validity: int | None = None  #: seconds
    extras: dict[str, str] = {}  #: what only one vendor knows


class Message(msgspec.Struct, kw_only=True, eq=False):
    """One accepted message and what has become of it."""

    sid: str
    account: str
    to: str
    sender: str
    body: str
    reference: str | None = None
    callback_url: str | None = None
    status: str = "queued"
    error_code: int | None = None
    segments: int = 1
    created: float = 0.0
    updated: float = 0.0
    sent: float | None = None

    def become(self, step: Step) -> None:
        """Take on a report's status."""
        self.status, self.error_code, self.updated = step.status, step.error_code, time.time()
        if step.status == "sent" and self.sent is None:
            self.sent = self.updated


class Incoming(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, rename={"sender": "from"}):
    """A message from a person, to be posted to a customer's address."""

    sender: str
    to: str
    text: str
    url: str
    forged: bool = False
    unsigned: bool = False
