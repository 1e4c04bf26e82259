"""Messages as Infobip shows them: in answers, in reports, in logs."""

import time
from datetime import UTC, datetime
from typing import Final

from sms_simulators import messages

_GROUPS: Final = {"PENDING": 1, "UNDELIVERABLE": 2, "DELIVERED": 3, "EXPIRED": 4, "REJECTED": 5, "ACCEPTED": 6}
_STATUSES: Final[dict[int, tuple[str, str]]] = {
    2: ("DELIVERED", "DELIVERED_TO_OPERATOR"),
    3: ("PENDING", "PENDING_WAITING_DELIVERY"),
    4: ("UNDELIVERABLE", "UNDELIVERABLE_REJECTED_OPERATOR"),
    5: ("DELIVERED", "DELIVERED_TO_HANDSET"),
    6: ("REJECTED", "REJECTED_NETWORK"),
    7: ("PENDING", "PENDING_ENROUTE"),
    9: ("UNDELIVERABLE", "UNDELIVERABLE_NOT_DELIVERED"),
    12: ("REJECTED", "REJECTED_NOT_ENOUGH_CREDITS"),
    13: ("REJECTED", "REJECTED_SENDER"),
    15: ("EXPIRED", "EXPIRED_EXPIRED"),
    23: ("REJECTED", "REJECTED_DUPLICATE_MESSAGE_ID"),
    26: ("PENDING", "PENDING_ACCEPTED"),
    29: ("EXPIRED", "EXPIRED_DLR_UNKNOWN"),
    31: ("UNDELIVERABLE", "UNDELIVERABLE_NOT_SENT"),
    51: ("REJECTED", "MISSING_TO"),
    52: ("REJECTED", "REJECTED_DESTINATION"),
}
#: Infobip's number for Twilio's words; a number goes as it is.
_WORDS: Final = {"queued": 26, "sent": 7, "delivered": 5, "undelivered": 9, "failed": 4, "expired": 15, "unknown": 29, "canceled": 31}


class Message(messages.Message, kw_only=True, eq=False):
    """One message, accepted or rejected."""

    def state(self) -> dict[str, object]:
        """`status`."""
        return state(_WORDS.get(self.status) or (int(self.status) if self.status.isdecimal() else 26))

    def resource(self) -> dict[str, object]:
        """What reports and logs share."""
        number = self.error_code or 0
        fault = {
            "groupId": 1 if number else 0,
            "groupName": "HANDSET_ERRORS" if number else "OK",
            "id": number,
            "name": f"EC_{number}" if number else "NO_ERROR",
            "description": "It did not arrive" if number else "No Error",
            "permanent": bool(number),
        }
        return {
            "bulkId": f"bulk-{self.sid}",
            "messageId": self.sid,
            "sender": self.sender,
            "sentAt": iso(self.created),
            "doneAt": iso(self.updated),
            "messageCount": self.segments,
            "mccMnc": "22801",
            "price": {"pricePerMessage": 0.01, "currency": "EUR"},
            "status": self.state(),
            "error": fault,
        }


def state(number: int) -> dict[str, object]:
    """`status` by its id; one without a name here is a rejection."""
    group, name = _STATUSES.get(number, ("REJECTED", f"REJECTED_{number}"))
    return {"groupId": _GROUPS[group], "groupName": group, "id": number, "name": name, "description": name.replace("_", " ").lower()}


def iso(moment: float) -> str:
    """A time as Infobip writes it."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")


def now_message(*, sid: str, account: str, order: messages.Order, segments: int) -> Message:
    """A message that has just come."""
    now = time.time()
    return Message(
        sid=sid,
        account=account,
        to=order.to,
        sender=order.sender,
        body=order.body,
        reference=order.reference,
        callback_url=order.callback_url,
        segments=segments,
        created=now,
        updated=now,
    )
