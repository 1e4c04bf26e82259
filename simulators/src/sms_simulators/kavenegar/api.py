"""Kavenegar's REST API: the key in the path, the HTTP status repeated in the answer, reports to be asked for."""

import os
import re
import time
from typing import ClassVar, Final
from urllib.parse import parse_qsl, urlencode

from sms_contract.segments import measure
from sms_simulators.accounts import Account
from sms_simulators.behaviour import Code, Step
from sms_simulators.http import Request, Response, json_answer
from sms_simulators.messages import Incoming, Message, Order
from sms_simulators.reports import Post
from sms_simulators.vendor import Vendor

PREFIX: Final = "/v1/"
_METHOD = re.compile(r"/v1/([^/]+)/(sms/send|sms/status|sms/statuslocalmessageid|sms/cancel|account/info)\.json")
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_LONGEST = {True: 612, False: 268}  #: Latin letters, others
#: Twilio's words; other words are the vendor's numbers.
_STATUSES: Final = {"queued": 1, "sent": 5, "delivered": 10, "undelivered": 11, "expired": 11, "failed": 6, "canceled": 13}
_TEXTS: Final = {1: "در صف ارسال", 5: "ارسال به مخابرات", 10: "رسیده به گیرنده", 11: "نرسیده به گیرنده", 13: "لغو شده", 100: "نامعتبر"}


class Kavenegar(Vendor[Message]):
    """Send, and be asked. An account's `reports_url` is the address in its panel, to which reports are pushed, unsigned."""

    name = "kavenegar"
    prefixes = (PREFIX,)
    codes: ClassVar[dict[int, Code]] = {400: 400}

    async def handle(self, request: Request) -> Response:
        found = _METHOD.fullmatch(request.path)
        if found is None:
            return self.failure(404)
        account = self.house.accounts.bearer(self.name, found[1])
        if account is None:
            return self.failure(403)
        body = request.body.decode("utf-8", "replace")
        fields = {**request.query, **dict(parse_qsl(body, keep_blank_values=True))}
        match found[2]:
            case "sms/send":
                return await self.take(request, account, _order(fields), _objection(fields))
            case "sms/status":
                return json_answer(200, _good([self._status(account, word) for word in fields.get("messageid", "").split(",")]))
            case "sms/statuslocalmessageid":
                return json_answer(200, _good([self._local(account, word) for word in fields.get("localid", "").split(",")]))
            case "account/info":
                return self.balance(account, _info)
        return json_answer(200, _good([self._cancel(account, word) for word in fields.get("messageid", "").split(",")]))

    def new(self, account: Account, order: Order) -> Message:
        now = time.time()
        return Message(
            sid=str(int.from_bytes(os.urandom(5)) + 1),
            account=account.sid,
            to=order.to,
            sender=order.sender,
            body=order.body,
            reference=order.reference,
            callback_url=account.settings.reports_url,
            segments=measure(order.body).count,
            created=now,
            updated=now,
        )

    def content(self, message: Message) -> dict[str, object]:
        entry = {
            "messageid": int(message.sid),
            "message": message.body,
            **_state(message),
            "sender": message.sender or "10004346",
            "receptor": message.to.replace("+98", "0").replace("+", "00"),
            "date": int(message.created),
            "cost": 120 * message.segments,
        }
        return _good([entry])

    def without_id(self, content: dict[str, object]) -> dict[str, object]:
        return {**content, "entries": [{"status": 1}]}

    def failure(self, status: int, code: Code | None = None, message: str | None = None, retry_after: int | None = None) -> Response:
        status = status if code is None else int(code)
        answer = json_answer(status, {"return": {"status": status, "message": message or f"خطای {status}"}, "entries": None})
        if retry_after is not None:
            answer.headers["Retry-After"] = str(retry_after)
        return answer

    def report(self, account: Account, message: Message, step: Step, key: str | None) -> Post:  # noqa: ARG002
        fields = {"messageid": message.sid, "status": str(_number(step.status))}
        return Post(method="GET", url=f"{message.callback_url}?{urlencode(fields)}")

    def incoming(self, account: Account, message: Incoming, key: str | None) -> Post:  # noqa: ARG002
        fields = {"messageid": str(time.time_ns()), "from": message.sender.removeprefix("+"), "to": message.to, "message": message.text}
        return Post(method="GET", url=f"{message.url}?{urlencode(fields)}")

    def _mine(self, account: Account, word: str) -> Message | None:
        message = self.messages.get(word)
        return None if message is None or message.account != account.sid else message

    def _status(self, account: Account, word: str) -> dict[str, object]:
        message = self._mine(account, word)
        state: dict[str, object] = {"status": 100, "statustext": _TEXTS[100]} if message is None else _state(message)
        return {"messageid": int(word) if word.isdecimal() else 0, **state}

    def _local(self, account: Account, word: str) -> dict[str, object]:
        message = next((m for m in self.messages.values() if m.account == account.sid and m.reference == word), None)
        if message is None:
            return {"messageid": 0, "localid": word, "status": 100, "statustext": _TEXTS[100]}
        return {"messageid": int(message.sid), "localid": word, **_state(message)}

    def _cancel(self, account: Account, word: str) -> dict[str, object]:
        message = self._mine(account, word)
        if message is not None and message.status == "queued":
            message.status = "canceled"
        return self._status(account, word)


def _good(entries: list[dict[str, object]]) -> dict[str, object]:
    return {"return": {"status": 200, "message": "تایید شد"}, "entries": entries}


def _info(left: float) -> dict[str, object]:
    """`entries` is an object here, and the money rials."""
    return _good([]) | {"entries": {"remaincredit": int(left), "expiredate": int(time.time()) + 86400 * 365, "type": "Master"}}


def _number(word: str) -> int:
    return _STATUSES[word] if word in _STATUSES else int(word) if word.isdecimal() else 100


def _state(message: Message) -> dict[str, object]:
    number = _number(message.status)
    return {"status": number, "statustext": _TEXTS.get(number, "")}


def _order(fields: dict[str, str]) -> Order:
    receptor = fields.get("receptor", "")
    to = f"+{receptor[2:]}" if receptor.startswith("00") else f"+98{receptor[1:]}" if receptor.startswith("0") else receptor
    return Order(to=to, sender=fields.get("sender", ""), body=fields.get("message", ""), reference=fields.get("localid"))


def _objection(fields: dict[str, str]) -> int | None:
    text = fields.get("message", "")
    if not text or len(text) > _LONGEST[text.isascii()]:
        return 413
    if _NUMBER.fullmatch(_order(fields).to) is None:
        return 411
    return None if fields.get("localid", "0").isdecimal() else 417
