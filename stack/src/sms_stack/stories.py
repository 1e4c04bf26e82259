"""The three stories that the demo tells, each a message sent as any client would, followed to its end, and checked."""

import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from sms_stack.calls import Answer, call
from sms_stack.errors import StackError

#: From the numbers that Ofcom keeps for drama: nobody has them.
RECIPIENT = "+447700900101"
REFUSED_RECIPIENT = "+447700900429"
REFUSING = "alpha"  #: it refuses that number, and is tried first
FINAL_SECONDS = 40


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where the stories play."""

    gateway_url: str
    simulator_url: str
    key: str
    #: Exclusively and in this order; none: the gateway selects.
    providers: list[str]
    timeline: Callable[[str], Any]

    def send(self, to: str, text: str, *, idempotency_key: str) -> Answer:
        headers = {"API-Key": self.key, "Idempotency-Key": idempotency_key}
        body = {"to": to, "text": text, **({"providers": self.providers} if self.providers else {})}
        answer = call(f"{self.gateway_url}/v1/messages", method="POST", body=body, headers=headers)
        if answer.status != 202:
            raise StackError(f"The gateway did not accept the demo's message: {answer.status} {answer.text[:500]}")
        return answer

    def final(self, tracking_id: str) -> dict[str, Any]:
        """The message when it has arrived, or as it is when time is up."""
        deadline = time.monotonic() + FINAL_SECONDS
        while True:
            message: dict[str, Any] = call(f"{self.gateway_url}/v1/messages/{tracking_id}", headers={"API-Key": self.key}).document()
            if message.get("is_final") or time.monotonic() > deadline:
                return message
            time.sleep(0.1)

    def sends(self, text: str) -> int:
        """How many messages with this text the simulated providers took: their ledger is the judge."""
        entries = call(f"{self.simulator_url}/control/ledger").document()["entries"]
        return sum(entry["body"] == text for entry in entries)


@dataclass(frozen=True, kw_only=True)
class Story:
    name: str
    told: str  #: what happened, in a sentence
    ok: bool
    tracking_id: str
    message: dict[str, Any] = field(default_factory=dict)
    timeline: Any = None

    def document(self) -> dict[str, Any]:
        return asdict(self)


def delivered(stage: Stage) -> Story:
    """One message, sent, reported delivered."""
    text = f"Your order {_code()} is on its way."
    tracking_id = stage.send(RECIPIENT, text, idempotency_key=_code()).document()["tracking_id"]
    message = stage.final(tracking_id)
    provider = (message.get("provider") or {}).get("name")
    return Story(
        name="delivered",
        told=f"Accepted, sent by {provider}, and {message['status']}.",
        ok=message["status"] == "delivered" and stage.sends(text) == 1,
        tracking_id=tracking_id,
        message=message,
        timeline=stage.timeline(tracking_id),
    )


def failed_over(stage: Stage) -> Story:
    """One that the first provider refuses with Twilio's documented 429, so that the second one sends it."""
    text = f"Your code is {_code()}."
    tracking_id = stage.send(REFUSED_RECIPIENT, text, idempotency_key=_code()).document()["tracking_id"]
    message = stage.final(tracking_id)
    provider = (message.get("provider") or {}).get("name")
    return Story(
        name="failed_over",
        told=f"{REFUSING} refused it (429, too many requests); {provider} sent it in the same round; {message['status']}.",
        ok=message["status"] == "delivered" and provider not in {None, REFUSING} and message["attempts"] == 2 and stage.sends(text) == 1,
        tracking_id=tracking_id,
        message=message,
        timeline=stage.timeline(tracking_id),
    )


def replayed(stage: Stage) -> Story:
    """The same request twice with the same Idempotency-Key: one message, sent once."""
    text = f"Your table {_code()} is booked."
    key = _code()
    first = stage.send(RECIPIENT, text, idempotency_key=key)
    second = stage.send(RECIPIENT, text, idempotency_key=key)
    tracking_id = first.document()["tracking_id"]
    same = second.document()["tracking_id"] == tracking_id
    marked = second.headers.get("idempotent-replayed") == "true"
    message = stage.final(tracking_id)
    sends = stage.sends(text)
    return Story(
        name="replayed",
        told=f"Asked twice: {'the same' if same else 'ANOTHER'} tracking id, Idempotent-Replayed: {'true' if marked else 'MISSING'}, "
        f"sent {'once' if sends == 1 else f'{sends} TIMES'}; {message['status']}.",
        ok=same and marked and sends == 1 and message["status"] == "delivered",
        tracking_id=tracking_id,
        message=message,
        timeline=stage.timeline(tracking_id),
    )


def _code() -> str:
    return secrets.token_hex(4)
