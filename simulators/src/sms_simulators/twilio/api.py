"""Twilio's wire format: what a request has to look like, and what the answers look like."""

import os
import re
import time
from collections.abc import Callable
from typing import ClassVar, Final
from urllib.parse import urlencode

from sms_contract.segments import measure
from sms_simulators.accounts import Account
from sms_simulators.behaviour import Code, Step
from sms_simulators.forms import fields
from sms_simulators.http import Request, Response, json_answer
from sms_simulators.messages import Incoming, Order
from sms_simulators.reports import Post
from sms_simulators.twilio.messages import CANCELABLE, Message
from sms_simulators.twilio.signature import sign
from sms_simulators.vendor import Vendor

PREFIX: Final = "/2010-04-01/Accounts/"
_CREATE = "/Messages.json"
_MAX_VALIDITY = 36000
_MAX_CHARACTERS = 1600
_TO = re.compile(r"\+[1-9][0-9]{6,14}")
_WORDS: dict[int, str] = {
    20003: "Authenticate",
    20004: "Method not allowed",
    20403: "Forbidden",
    20404: "The requested resource was not found",
    20429: "Too Many Requests",
    20500: "Internal Server Error",
    20503: "Service Unavailable",
    21211: "Invalid 'To' Phone Number",
    21602: "Message body is required",
    21603: "A 'From' phone number is required",
    21604: "A 'To' phone number is required",
    21609: "The 'StatusCallback' URL is not a valid URL",
    21610: "Attempt to send to unsubscribed recipient",
    21617: "The concatenated message body exceeds the 1600 character limit",
    21624: "ValidityPeriod is out of range",
    30409: "The message can no longer be canceled",
}


class Twilio(Vendor[Message]):
    """Messages: create, fetch, list, cancel, redact, delete."""

    name = "twilio"
    prefixes = (PREFIX,)
    success = 201
    codes: ClassVar[dict[int, Code]] = {400: 21211, 401: 20003, 403: 20403, 404: 20404, 405: 20004, 429: 20429, 500: 20500, 503: 20503}

    async def handle(self, request: Request) -> Response:
        """Any request below `/2010-04-01/Accounts/`."""
        sid, slash, rest = request.path.removeprefix(PREFIX).partition("/")
        account = self.house.accounts.authenticate(sid, request.header("authorization"))
        if account is None:
            return self.failure(401)
        if rest == "Balance.json" and request.method == "GET":
            return self.balance(account, lambda left: {"account_sid": sid, "balance": f"{left:.4f}", "currency": "USD"})
        if rest == "Messages.json":
            return await self._messages(request, account)
        message = self.messages.get(rest.removeprefix("Messages/").removesuffix(".json"))
        if not slash or message is None or message.account != sid:
            return self.failure(404)
        return await self._message(request, message)

    def new(self, account: Account, order: Order) -> Message:
        now = time.time()
        return Message(
            sid="SM" + os.urandom(16).hex(),
            account=account.sid,
            to=order.to,
            sender=order.sender,
            body=order.body,
            messaging_service=order.messaging_service,
            callback_url=order.callback_url or account.settings.reports_url,
            status="queued" if order.messaging_service is None else "accepted",
            segments=measure(order.body).count,
            created=now,
            updated=now,
        )

    def content(self, message: Message) -> dict[str, object]:
        return message.resource()

    def without_id(self, content: dict[str, object]) -> dict[str, object]:
        return {**content, "sid": None}

    def failure(self, status: int, code: Code | None = None, message: str | None = None, retry_after: int | None = None) -> Response:
        code = code or self.codes.get(status, 20000 + status)
        words = message or _WORDS.get(int(code), f"Error {code}")
        more = f"https://www.twilio.com/docs/errors/{code}"
        response = json_answer(status, {"code": code, "message": words, "more_info": more, "status": status})
        if retry_after is not None:
            response.headers["Retry-After"] = str(retry_after)
        if status == 401:
            response.headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
        return response

    def signing_key(self, account: Account) -> str | None:
        return account.settings.auth_token

    def report(self, account: Account, message: Message, step: Step, key: str | None) -> Post:  # noqa: ARG002
        return _form_post(message.callback_url or "", message.callback_fields(step), key)

    def incoming(self, account: Account, message: Incoming, key: str | None) -> Post:
        sid = "SM" + os.urandom(16).hex()
        fields = {
            "MessageSid": sid,
            "SmsSid": sid,
            "SmsStatus": "received",
            "AccountSid": account.sid,
            "From": message.sender,
            "To": message.to,
            "Body": message.text,
            "NumMedia": "0",
            "NumSegments": str(measure(message.text).count),
            "ApiVersion": "2010-04-01",
        }
        return _form_post(message.url, fields, key)

    async def _messages(self, request: Request, account: Account) -> Response:
        match request.method:
            case "POST":
                form = await _form(request)
                return await self.take(request, account, _order(form), self._objection(form))
            case "GET":
                return self._list(request, account)
        return self.failure(405)

    async def _message(self, request: Request, message: Message) -> Response:
        match request.method:
            case "GET":
                return json_answer(200, message.resource())
            case "POST":
                return await self._update(request, message)
            case "DELETE":
                del self.messages[message.sid]
                return Response(status=204)
        return self.failure(405)

    async def _update(self, request: Request, message: Message) -> Response:
        form = await _form(request)
        if form.get("Status") == "canceled":
            if message.status not in CANCELABLE:
                return self.failure(400, 30409)
            message.status = "canceled"
        if form.get("Body") == "":
            message.body = ""
        return json_answer(200, message.resource())

    def _list(self, request: Request, account: Account) -> Response:
        query = request.query
        size = min(max(int(query.get("PageSize", "50")), 1), 1000) if query.get("PageSize", "50").isdecimal() else 50
        page = int(query.get("Page", "0")) if query.get("Page", "0").isdecimal() else 0
        wanted: list[Callable[[Message], bool]] = [lambda m: m.account == account.sid]
        if "To" in query:
            wanted.append(lambda m: m.to == query["To"])
        if "From" in query:
            wanted.append(lambda m: m.sender == query["From"])
        found = [m for m in reversed(self.messages.values()) if all(test(m) for test in wanted)]
        shown = found[page * size : (page + 1) * size]
        uri = f"{PREFIX}{account.sid}{_CREATE}"
        more = f"{uri}?{urlencode({**query, 'Page': page + 1, 'PageSize': size})}"
        content = {
            "messages": [m.resource() for m in shown],
            "page": page,
            "page_size": size,
            "start": page * size,
            "end": max(page * size + len(shown) - 1, 0),
            "uri": uri,
            "first_page_uri": f"{uri}?PageSize={size}&Page=0",
            "previous_page_uri": None,
            "next_page_uri": more if (page + 1) * size < len(found) else None,
        }
        return json_answer(200, content)

    def _objection(self, form: dict[str, str]) -> int | None:
        """The code with which Twilio refuses such a request; None: it is in order."""
        to, body, validity = form.get("To"), form.get("Body"), form.get("ValidityPeriod", "1")
        faults = (
            (not to, 21604),
            (_TO.fullmatch(to or "") is None, 21211),
            (not form.get("From") and not form.get("MessagingServiceSid"), 21603),
            (not body, 21602),
            (len(body or "") > _MAX_CHARACTERS, 21617),
            (not validity.isdecimal() or not 1 <= int(validity) <= _MAX_VALIDITY, 21624),
            (not self.may_call(form.get("StatusCallback")), 21609),
        )
        return next((code for wrong, code in faults if wrong), None)


def _order(form: dict[str, str]) -> Order:
    validity = form.get("ValidityPeriod", "")
    return Order(
        to=form.get("To", ""),
        sender=form.get("From", ""),
        body=form.get("Body", ""),
        callback_url=form.get("StatusCallback"),
        messaging_service=form.get("MessagingServiceSid"),
        validity=int(validity) if validity.isdecimal() else None,
    )


def _form_post(url: str, fields: dict[str, str], key: str | None) -> Post:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "TwilioProxy/1.1"}
    if key is not None:
        headers["X-Twilio-Signature"] = sign(key, url, fields)
    return Post(url=url, headers=headers, body=urlencode(fields).encode())


async def _form(request: Request) -> dict[str, str]:
    return dict(fields(request.body))
