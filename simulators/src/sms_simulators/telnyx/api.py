"""Telnyx Messaging v2: send and retrieve; every webhook is signed."""

import json
import re
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar, Final

from sms_contract.segments import Encoding, measure
from sms_simulators import messages
from sms_simulators.accounts import Account, token_of
from sms_simulators.behaviour import Code, Step
from sms_simulators.http import Request, Response, json_answer
from sms_simulators.messages import Incoming, Order
from sms_simulators.reports import Post
from sms_simulators.telnyx.signature import public_key, sign
from sms_simulators.vendor import Vendor

PATH: Final = "/v2/messages"
BALANCE: Final = "/v2/balance"
_CREDIT: Final = 100.0
_TO = re.compile(r"\+[1-9][0-9]{6,14}")
#: Telnyx's words for Twilio's; others go as they are.
_WORDS: Final = {"undelivered": "delivery_failed", "failed": "sending_failed", "unknown": "delivery_unconfirmed"}
_TITLES: Final[dict[str, str]] = {
    "10004": "Missing required parameter",
    "10005": "Resource not found",
    "10009": "Authentication failed",
    "10010": "Authorization failed",
    "10011": "Too many requests",
    "10015": "Bad Request",
    "40305": "Invalid 'from' address",
    "40310": "Invalid 'to' address",
    "40300": "Blocked due to STOP message",
    "40318": "Message queue full",
}


class Message(messages.Message, kw_only=True, eq=False):
    """One accepted message."""

    profile: str | None = None
    encoding: str = "GSM-7"

    def resource(self) -> dict[str, object]:
        """The JSON resource."""
        errors = [] if self.error_code is None else [{"code": str(self.error_code), "title": "It did not arrive"}]
        return {
            "record_type": "message",
            "direction": "outbound",
            "id": self.sid,
            "type": "SMS",
            "messaging_profile_id": self.profile,
            "organization_id": "b448f9cc-a842-4784-98e9-03c1a5872950",
            "from": {"phone_number": self.sender, "carrier": "TELNYX LLC", "line_type": "VoIP"},
            "to": [{"phone_number": self.to, "status": _WORDS.get(self.status, self.status), "carrier": "X", "line_type": "Wireless"}],
            "text": self.body,
            "media": [],
            "webhook_url": self.callback_url,
            "webhook_failover_url": None,
            "encoding": self.encoding,
            "parts": self.segments,
            "tags": [],
            "cost": {"amount": "0.0051", "currency": "USD"},
            "received_at": _iso(self.created),
            "sent_at": None if self.sent is None else _iso(self.sent),
            "completed_at": None if self.status in {"queued", "sent"} else _iso(self.updated),
            "valid_until": _iso(self.created + 3600),
            "errors": errors,
        }


class Telnyx(Vendor[Message]):
    """Messages of whoever the bearer token belongs to."""

    name = "telnyx"
    prefixes = (PATH, BALANCE)
    codes: ClassVar[dict[int, Code]] = {400: "10015", 401: "10009", 403: "10010", 404: "10005", 422: "10004", 429: "10011"}

    async def handle(self, request: Request) -> Response:
        account = self.house.accounts.bearer(self.name, token_of(request.header("authorization"), "Bearer"))
        if account is None:
            return self.failure(401)
        if request.path == BALANCE and request.method == "GET":
            return self.balance(account, _balance)
        message = self.messages.get(request.path.removeprefix(PATH).lstrip("/"))
        if request.method == "GET" and message is not None and message.account == account.sid:
            return json_answer(200, {"data": message.resource()})
        if request.method != "POST" or request.path != PATH:
            return self.failure(404)
        try:
            content = json.loads(request.body)
        except ValueError:
            return self.failure(400)
        if not isinstance(content, dict):
            return self.failure(400)
        order = Order(
            to=str(content.get("to", "")),
            sender=str(content.get("from") or ""),
            body=str(content.get("text", "")),
            callback_url=content.get("webhook_url"),
            messaging_service=content.get("messaging_profile_id"),
        )
        return await self.take(request, account, order, self._objection(order, content))

    def new(self, account: Account, order: Order) -> Message:
        now, measured = time.time(), measure(order.body)
        return Message(
            sid=str(uuid.uuid4()),
            account=account.sid,
            to=order.to,
            sender=order.sender or "+18445550001",
            body=order.body,
            callback_url=order.callback_url or account.settings.reports_url,
            segments=measured.count,
            created=now,
            updated=now,
            profile=order.messaging_service,
            encoding="GSM-7" if measured.encoding is Encoding.GSM7 else "UCS-2",
        )

    def content(self, message: Message) -> dict[str, object]:
        return {"data": message.resource()}

    def without_id(self, content: dict[str, object]) -> dict[str, object]:
        return {**content, "data": {"record_type": "message"}}

    def failure(self, status: int, code: Code | None = None, message: str | None = None, retry_after: int | None = None) -> Response:
        number = str(code or self.codes.get(status, "10007"))
        title = _TITLES.get(number, f"Error {number}")
        meta = {"url": f"https://developers.telnyx.com/docs/overview/errors/{number}"}
        response = json_answer(status, {"errors": [{"code": number, "title": title, "detail": message or title, "meta": meta}]})
        if retry_after is not None:
            response.headers["Retry-After"] = str(retry_after)
        return response

    def signing_key(self, account: Account) -> str | None:
        return account.settings.signature_secret or account.settings.auth_token

    def shown(self, account: Account) -> dict[str, object]:
        return {"public_key": public_key(self.signing_key(account) or "")}

    def report(self, account: Account, message: Message, step: Step, key: str | None) -> Post:  # noqa: ARG002
        event = "message.sent" if step.status == "sent" else "message.finalized"
        return _post(message.callback_url or "", event, message.resource(), key)

    def incoming(self, account: Account, message: Incoming, key: str | None) -> Post:  # noqa: ARG002
        payload = {
            "record_type": "message",
            "direction": "inbound",
            "id": str(uuid.uuid4()),
            "type": "SMS",
            "from": {"phone_number": message.sender, "carrier": "X", "line_type": "Wireless"},
            "to": [{"phone_number": message.to, "status": "webhook_delivered"}],
            "text": message.text,
            "parts": measure(message.text).count,
            "received_at": _iso(time.time()),
            "errors": [],
        }
        return _post(message.url, "message.received", payload, key)

    def _objection(self, order: Order, content: Mapping[str, object]) -> Code | None:
        encoding = content.get("encoding", "auto")
        faults = (
            (_TO.fullmatch(order.to) is None, "40310"),
            (not order.sender and not order.messaging_service, "40305"),
            (not order.body, "10004"),
            (encoding not in {"auto", "gsm7", "ucs2"}, "10015"),
            (encoding == "gsm7" and measure(order.body).encoding is not Encoding.GSM7, "10015"),
            (not self.may_call(order.callback_url), "10003"),
        )
        return next((code for wrong, code in faults if wrong), None)


def _post(url: str, event: str, payload: dict[str, object], key: str | None) -> Post:
    now = time.time()
    data = {"event_type": event, "id": str(uuid.uuid4()), "occurred_at": _iso(now), "record_type": "event", "payload": payload}
    body = json.dumps({"data": data, "meta": {"attempt": 1, "delivered_to": url}}).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "telnyx-webhooks"}
    return Post(url=url, headers=headers if key is None else {**headers, **sign(key, int(now), body)}, body=body)


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")


def _balance(left: float) -> dict[str, object]:
    money = {"pending": 0.0, "balance": left - _CREDIT, "credit_limit": _CREDIT, "available_credit": left}
    return {"data": {"record_type": "balance", **{name: f"{amount:.2f}" for name, amount in money.items()}, "currency": "USD"}}
