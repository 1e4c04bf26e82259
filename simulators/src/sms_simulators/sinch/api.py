"""Sinch SMS (XMS): batches of one recipient, found by client reference; reports are signed where the account has a secret."""

import json
import os
import re
import time
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from sms_contract.segments import measure
from sms_simulators import messages
from sms_simulators.accounts import Account, token_of
from sms_simulators.behaviour import Code, Step
from sms_simulators.http import Request, Response, json_answer
from sms_simulators.messages import Incoming, Order
from sms_simulators.reports import Post
from sms_simulators.sinch.signature import sign
from sms_simulators.vendor import Vendor

PREFIX: Final = "/xms/v1/"
_TO = re.compile(r"\+[1-9][0-9]{6,14}")
_MAX_CHARACTERS: Final = 2000
#: Sinch's word and code for Twilio's words; others go as they are.
_WORDS: Final = {
    "queued": ("Queued", 400),
    "sent": ("Dispatched", 401),
    "delivered": ("Delivered", 0),
    "undelivered": ("Failed", 404),
    "failed": ("Rejected", 408),
    "expired": ("Expired", 406),
    "canceled": ("Cancelled", 407),
    "unknown": ("Unknown", 403),
}


class Message(messages.Message, kw_only=True, eq=False):
    """One batch."""

    delivery_report: str = "none"
    expire_at: str | None = None

    def resource(self) -> dict[str, object]:
        """The JSON resource."""
        return {
            "id": self.sid,
            "to": [self.to.removeprefix("+")],
            "from": self.sender,
            "canceled": self.status == "canceled",
            "body": self.body,
            "type": "mt_text",
            "created_at": _iso(self.created),
            "modified_at": _iso(self.updated),
            "delivery_report": self.delivery_report,
            "send_at": _iso(self.created),
            "expire_at": self.expire_at or _iso(self.created + 259200),
            "callback_url": self.callback_url,
            "client_reference": self.reference,
            "feedback_enabled": False,
            "flash_message": False,
        }


class Sinch(Vendor[Message]):
    """Batches of a service plan: send, list, fetch, cancel."""

    name = "sinch"
    prefixes = (PREFIX,)
    success = 201
    codes: ClassVar[dict[int, Code]] = {400: "syntax_constraint_violation", 401: "unauthorized", 403: "blocked_account", 404: "not_found"}

    async def handle(self, request: Request) -> Response:
        plan, _, rest = request.path.removeprefix(PREFIX).partition("/")
        token = token_of(request.header("authorization"), "Bearer")
        account = self.house.accounts.check(self.name, plan, plan, token) if token else None
        if account is None:
            return self.failure(401)
        resource, _, sid = rest.partition("/")
        if resource != "batches":
            return self.failure(404)
        match request.method, sid:
            case "POST", "":
                return await self._create(request, account)
            case "GET", "":
                return self._list(request, account)
        message = self.messages.get(sid)
        if message is None or message.account != account.sid:
            return self.failure(404)
        if request.method == "DELETE":
            message.status = "canceled"
        return json_answer(200, message.resource()) if request.method in {"GET", "DELETE"} else self.failure(404)

    async def _create(self, request: Request, account: Account) -> Response:
        try:
            content: dict[str, Any] = json.loads(request.body)
            (to,) = content["to"]
            expire_at = content.get("expire_at")
            end = None if expire_at is None else datetime.fromisoformat(expire_at)
        except (ValueError, KeyError, TypeError):
            return self.failure(400, "syntax_invalid_json")
        wants = content.get("delivery_report", "none")
        order = Order(
            to=f"+{str(to).removeprefix('+')}",
            sender=str(content.get("from") or ""),
            body=str(content.get("body", "")),
            callback_url=content.get("callback_url"),
            reference=content.get("client_reference"),
            extras={"delivery_report": wants, "expire_at": expire_at or ""},
            validity=None if end is None else round(end.timestamp() - time.time()),
        )
        return await self.take(request, account, order, self._objection(order))

    def new(self, account: Account, order: Order) -> Message:
        now = time.time()
        return Message(
            sid="01" + os.urandom(12).hex().upper(),
            account=account.sid,
            to=order.to,
            sender=order.sender or "12345",
            body=order.body,
            reference=order.reference,
            callback_url=None if order.extras["delivery_report"] == "none" else order.callback_url or account.settings.reports_url,
            segments=measure(order.body).count,
            created=now,
            updated=now,
            delivery_report=order.extras["delivery_report"],
            expire_at=order.extras["expire_at"] or None,
        )

    def content(self, message: Message) -> dict[str, object]:
        return message.resource()

    def without_id(self, content: dict[str, object]) -> dict[str, object]:
        return {name: value for name, value in content.items() if name != "id"}

    def failure(self, status: int, code: Code | None = None, message: str | None = None, retry_after: int | None = None) -> Response:
        word = code or self.codes.get(status)
        content = {} if word is None else {"code": str(word), "text": message or str(word).replace("_", " ")}
        response = json_answer(status, content)
        if retry_after is not None:
            response.headers["Retry-After"] = str(retry_after)
        return response

    def report(self, account: Account, message: Message, step: Step, key: str | None) -> Post:  # noqa: ARG002
        word, code = _WORDS.get(step.status, (step.status, 0))
        code = code if step.error_code is None else step.error_code
        recipient, now = message.to.removeprefix("+"), _iso(time.time())
        common = {"batch_id": message.sid, "client_reference": message.reference}
        if message.delivery_report in {"summary", "full"}:
            status = {"code": code, "status": word, "count": 1, "recipients": [recipient]}
            return _post(
                message.callback_url or "", {"type": "delivery_report_sms", **common, "total_message_count": 1, "statuses": [status]}, key
            )
        content = {
            "type": "recipient_delivery_report_sms",
            **common,
            "recipient": recipient,
            "code": code,
            "status": word,
            "at": now,
            "operator_status_at": now,
            "encoding": "GSM",
            "number_of_message_parts": message.segments,
        }
        return _post(message.callback_url or "", content, key)

    def incoming(self, account: Account, message: Incoming, key: str | None) -> Post:  # noqa: ARG002
        content = {
            "type": "mo_text",
            "id": "01" + os.urandom(12).hex().upper(),
            "from": message.sender.removeprefix("+"),
            "to": message.to.removeprefix("+"),
            "body": message.text,
            "operator_id": "35000",
            "received_at": _iso(time.time()),
        }
        return _post(message.url, content, key)

    def _list(self, request: Request, account: Account) -> Response:
        query = request.query
        size = int(query["page_size"]) if query.get("page_size", "").isdecimal() else 30
        page = int(query["page"]) if query.get("page", "").isdecimal() else 0
        wanted = query.get("client_reference")
        found = [m for m in reversed(self.messages.values()) if m.account == account.sid and wanted in {None, m.reference}]
        shown = found[page * size : (page + 1) * size]
        return json_answer(200, {"count": len(found), "page": page, "page_size": len(shown), "batches": [m.resource() for m in shown]})

    def _objection(self, order: Order) -> Code | None:
        faults = (
            (_TO.fullmatch(order.to) is None, "syntax_invalid_parameter_format"),
            (not order.body or len(order.body) > _MAX_CHARACTERS, "syntax_constraint_violation"),
            (order.validity is not None and order.validity > 259200, "syntax_constraint_violation"),
            (len(order.reference or "") > 2048, "syntax_constraint_violation"),
            (not self.may_call(order.callback_url), "syntax_invalid_parameter_format"),
        )
        return next((code for wrong, code in faults if wrong), None)


def _post(url: str, content: object, key: str | None) -> Post:
    body = json.dumps(content).encode()
    headers = {"Content-Type": "application/json"}
    if key is not None:
        headers |= sign(key, body, os.urandom(12).hex(), int(time.time()))
    return Post(url=url, headers=headers, body=body)


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
