"""Infobip SMS v3: send under the sender's own message ids, each taken once; logs; reports that nobody signs."""

import json
import os
import re
import time
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from sms_contract.segments import measure
from sms_simulators.accounts import Account, token_of
from sms_simulators.behaviour import Action, Code, Rule, Step
from sms_simulators.http import Request, Response, json_answer
from sms_simulators.infobip.messages import Message, iso, now_message, state
from sms_simulators.messages import Incoming, Order
from sms_simulators.reports import Post
from sms_simulators.vendor import House, Vendor

PREFIX: Final = "/sms/3/"
BALANCE: Final = "/account/1/balance"
_TO = re.compile(r"\+[1-9][0-9]{6,14}")
_DUPLICATE: Final = 23
_DESCRIPTIONS: Final = {400: "Bad request", 401: "Invalid credentials", 403: "Forbidden", 404: "Not found", 429: "Too many requests"}


class Infobip(Vendor[Message]):
    """Requests of one message to one destination; a number as a refusal's code is a status inside a 200."""

    name = "infobip"
    prefixes = (PREFIX, BALANCE)
    codes: ClassVar[dict[int, Code]] = {status: f"E{status}" for status in (400, 401, 403, 404, 429, 500, 503)}

    def __init__(self, house: House) -> None:
        super().__init__(house)
        self._log: dict[tuple[str, str], Message] = {}

    async def handle(self, request: Request) -> Response:
        account = self.house.accounts.bearer(self.name, token_of(request.header("authorization"), "App"))
        if account is None:
            return self.failure(401)
        if (request.method, request.path) == ("GET", BALANCE):
            return self.balance(account, lambda left: {"balance": left, "currency": "EUR"})
        match request.method, request.path.removeprefix(PREFIX):
            case "GET", "logs":
                return self._logs(request, account)
            case "POST", "messages":
                content = await _content(request)
                return self.failure(400) if content is None else await self._send(request, account, content)
        return self.failure(404)

    async def _send(self, request: Request, account: Account, content: dict[str, Any]) -> Response:
        try:
            (message,) = content["messages"]
            (destination,) = message["destinations"]
            order = Order(
                to=f"+{str(destination['to']).removeprefix('+')}",
                sender=str(message.get("sender", "")),
                body=str(message["content"]["text"]),
                callback_url=message.get("webhooks", {}).get("delivery", {}).get("url"),
                reference=destination.get("messageId"),
                validity=_seconds(message.get("options", {}).get("validityPeriod")),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return self.failure(400, message=f"{type(error).__name__}: {error}")
        return await self.take(request, account, order, self._objection(account, order))

    def new(self, account: Account, order: Order) -> Message:
        sid = order.reference or os.urandom(16).hex()
        message = now_message(sid=sid, account=account.sid, order=order, segments=measure(order.body).count)
        message.callback_url = message.callback_url or account.settings.reports_url
        self._log[account.sid, sid] = message
        return message

    def content(self, message: Message) -> dict[str, object]:
        entry = {
            "messageId": message.sid,
            "status": message.state(),
            "destination": message.to.removeprefix("+"),
            "details": {"messageCount": message.segments},
        }
        return {"bulkId": f"bulk-{message.sid}", "messages": [entry]}

    def without_id(self, content: dict[str, object]) -> dict[str, object]:
        return {**content, "messages": []}

    def refusal(self, account: Account, order: Order, rule: Rule) -> Response:
        if not isinstance(rule.code, int) or rule.action is not Action.REFUSE:
            return super().refusal(account, order, rule)
        sid = order.reference or os.urandom(16).hex()
        if rule.code != _DUPLICATE:
            message = now_message(sid=sid, account=account.sid, order=order, segments=1)
            message.status = str(rule.code)
            self._log[account.sid, sid] = message
        entry = {"messageId": sid, "status": state(rule.code), "destination": order.to.removeprefix("+"), "details": {"messageCount": 1}}
        return json_answer(200, {"bulkId": f"bulk-{sid}", "messages": [entry]})

    def failure(self, status: int, code: Code | None = None, message: str | None = None, retry_after: int | None = None) -> Response:
        words = message or _DESCRIPTIONS.get(status, "Something went wrong")
        content = {"errorCode": str(code or f"E{status}"), "description": words, "action": "Check", "violations": [], "resources": []}
        response = json_answer(status, content)
        if retry_after is not None:
            response.headers["Retry-After"] = str(retry_after)
        return response

    def signing_key(self, account: Account) -> str | None:  # noqa: ARG002
        return None

    def report(self, account: Account, message: Message, step: Step, key: str | None) -> Post:  # noqa: ARG002
        result = {**message.resource(), "to": message.to.removeprefix("+"), "callbackData": None, "platform": {}}
        return _post(message.callback_url or "", {"results": [result]})

    def incoming(self, account: Account, message: Incoming, key: str | None) -> Post:  # noqa: ARG002
        entry = {
            "messageId": str(int.from_bytes(os.urandom(7))),
            "from": message.sender.removeprefix("+"),
            "to": message.to.removeprefix("+"),
            "text": message.text,
            "cleanText": message.text,
            "keyword": None,
            "receivedAt": iso(time.time()),
            "smsCount": measure(message.text).count,
            "price": {"pricePerMessage": 0, "currency": "EUR"},
            "callbackData": None,
        }
        return _post(message.url, {"results": [entry], "messageCount": 1, "pendingMessageCount": 0})

    def _logs(self, request: Request, account: Account) -> Response:
        wanted = request.query.getall("messageId", [])
        found = [message for (owner, sid), message in self._log.items() if owner == account.sid and (not wanted or sid in wanted)]
        results = [{**m.resource(), "destination": m.to.removeprefix("+"), "content": {"text": m.body}} for m in found[-1000:]]
        return json_answer(200, {"results": results})

    def _objection(self, account: Account, order: Order) -> Code | None:
        faults = (
            (not self.may_call(order.callback_url), "E400"),
            (not order.body, "E400"),
            (_TO.fullmatch(order.to) is None, 52),
            (order.reference is not None and (account.sid, order.reference) in self._log, _DUPLICATE),
            (not order.sender, 13),
        )
        return next((code for wrong, code in faults if wrong), None)


def _post(url: str, content: object) -> Post:
    return Post(url=url, headers={"Content-Type": "application/json"}, body=json.dumps(content).encode())


def _seconds(period: Mapping[str, Any] | None) -> int | None:
    if not period:
        return None
    return int(period["amount"]) * {"SECONDS": 1, "MINUTES": 60, "HOURS": 3600}[period.get("timeUnit", "MINUTES")]


async def _content(request: Request) -> dict[str, Any] | None:
    try:
        content = json.loads(request.body)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None
