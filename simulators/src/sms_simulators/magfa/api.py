"""Magfa's HTTP API v2: a status for the request and one for each message in it, reports to be asked for."""

import os
import time
from typing import ClassVar, Final

import msgspec

from sms_contract.segments import measure
from sms_simulators.accounts import Account, basic
from sms_simulators.behaviour import Code, Step
from sms_simulators.http import Request, Response, json_answer, text_answer
from sms_simulators.messages import Incoming, Message, Order
from sms_simulators.reports import Post
from sms_simulators.vendor import Vendor

PREFIX: Final = "/api/http/sms/v2/"
_MOST_PARTS = 265
#: Twilio's words; other words are the vendor's numbers.
_STATUSES: Final = {"queued": 0, "sent": 8, "delivered": 1, "undelivered": 2, "expired": 2, "failed": 16}


class Sends(msgspec.Struct):
    """What `send` is given."""

    senders: list[str]
    messages: list[str]
    recipients: list[str]
    uids: list[int] = []
    encodings: list[int] = []


class Magfa(Vendor[Message]):
    """`send` with one recipient, `mid`, `statuses`, `balance`. The account's name is what stands before the `/` of the user."""

    name = "magfa"
    prefixes = (PREFIX,)
    codes: ClassVar[dict[int, Code]] = {400: 1, 401: 18}

    async def handle(self, request: Request) -> Response:
        user, password = basic(request.header("authorization")) or ("", "")
        sid = user.partition("/")[0]
        account = self.house.accounts.check(self.name, sid, sid, password)
        if account is None:
            return json_answer(200, {"status": 18, "messages": []})
        method, _, rest = request.path.removeprefix(PREFIX).partition("/")
        match request.method, method:
            case "POST", "send":
                return await self._send(request, account)
            case "GET", "mid":
                return json_answer(200, {"status": 0, "mid": self._mid(account, rest)})
            case "GET", "statuses":
                return json_answer(200, {"status": 0, "dlrs": [self._dlr(account, mid) for mid in rest.split(",")]})
            case "GET", "balance":
                return self.balance(account, lambda left: {"status": 0, "balance": left})
        return json_answer(200, {"status": 25})

    async def _send(self, request: Request, account: Account) -> Response:
        try:
            given = msgspec.json.decode(request.body, type=Sends)
        except msgspec.DecodeError:
            return json_answer(200, {"status": 31, "messages": []})
        if len(given.recipients) != 1 or len(given.messages) != 1 or len(given.senders) != 1 or len(given.uids) > 1:
            return json_answer(200, {"status": 106 if not given.recipients else 101, "messages": []})
        number = given.recipients[0].removeprefix("+")
        to = f"+98{number[1:]}" if number.startswith("0") else f"+{number}"
        uid = str(given.uids[0]) if given.uids else None
        order = Order(to=to, sender=given.senders[0], body=given.messages[0], reference=uid)
        return await self.take(request, account, order, _objection(order))

    def new(self, account: Account, order: Order) -> Message:
        now = time.time()
        return Message(
            sid=str(int.from_bytes(os.urandom(5)) + 1),
            account=account.sid,
            to=order.to,
            sender=order.sender,
            body=order.body,
            reference=order.reference,
            segments=measure(order.body).count,
            created=now,
            updated=now,
        )

    def content(self, message: Message) -> dict[str, object]:
        entry: dict[str, object] = {
            "status": 0,
            "id": int(message.sid),
            "userId": int(message.reference or 0),
            "parts": message.segments,
            "tariff": 119.6 * message.segments,
            "alphabet": "DEFAULT" if message.body.isascii() else "UCS2",
            "recipient": message.to.removeprefix("+"),
        }
        return {"status": 0, "messages": [entry]}

    def without_id(self, content: dict[str, object]) -> dict[str, object]:
        return {**content, "messages": [{"status": 0}]}

    def failure(self, status: int, code: Code | None = None, message: str | None = None, retry_after: int | None = None) -> Response:
        """With a code, a message that is refused, in a 200; without one, an HTTP error from the gate before the API."""
        if code is not None:
            return json_answer(200, {"status": 0, "messages": [{"status": int(code)}]})
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return text_answer(status, message or f"HTTP {status}", headers)

    def report(self, account: Account, message: Message, step: Step, key: str | None) -> Post:
        raise NotImplementedError("Magfa pushes nothing")

    def incoming(self, account: Account, message: Incoming, key: str | None) -> Post:
        raise NotImplementedError("Magfa pushes nothing")

    def _mid(self, account: Account, uid: str) -> int:
        return next((int(m.sid) for m in self.messages.values() if m.account == account.sid and m.reference == uid), -1)

    def _dlr(self, account: Account, mid: str) -> dict[str, object]:
        message = self.messages.get(mid)
        known = message is not None and message.account == account.sid
        status = _number(message.status) if message is not None and known else -1
        date = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime((message.updated if message is not None else 0) + 12600))
        return {"mid": int(mid) if mid.isdecimal() else 0, "status": status, "date": date if known else None}


def _number(word: str) -> int:
    if word in _STATUSES:
        return _STATUSES[word]
    return int(word) if word.removeprefix("-").isdecimal() else 0


def _objection(order: Order) -> int | None:
    if not order.to[1:].isdecimal() or not 8 <= len(order.to) <= 16:
        return 1
    if not order.body:
        return 13
    return 30 if measure(order.body).count > _MOST_PARTS else None
