"""The Vonage SMS API: always 200 to what can be read, a status, an id and reports for each part."""

import json
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import ClassVar, Final
from urllib.parse import parse_qsl, urlencode

from sms_contract.segments import measure
from sms_simulators import messages
from sms_simulators.accounts import Account, basic
from sms_simulators.behaviour import Code, Step
from sms_simulators.http import Request, Response, json_answer
from sms_simulators.messages import Incoming, Order
from sms_simulators.reports import Post
from sms_simulators.vendor import Vendor
from sms_simulators.vonage.signature import sign

PATH: Final = "/sms/json"
BALANCE: Final = "/account/get-balance"
_TO = re.compile(r"[1-9][0-9]{6,14}")
_TTL = range(20_000, 604_800_001)
#: Status, then `err-code`, for Twilio's words; other words go as they are.
_WORDS: Final = {"sent": ("accepted", 0), "delivered": ("delivered", 0), "undelivered": ("failed", 1), "expired": ("expired", 1)}
_TEXTS: Final[dict[str, str]] = {
    "1": "Throttled",
    "2": "Missing Parameters",
    "3": "Invalid Parameters",
    "4": "Bad Credentials",
    "5": "Internal Error",
    "7": "Number barred",
    "9": "Partner quota violation",
    "12": "Message too long",
    "15": "Illegal Sender Address - rejected",
    "23": "Invalid callback URL",
}


class Message(messages.Message, kw_only=True, eq=False):
    """One accepted message, of one part or more."""

    parts: tuple[str, ...] = ()


class Vonage(Vendor[Message]):
    """Send, by form or JSON; reports by GET, or by POST of a form or of JSON, as the account has it (`report_method`)."""

    name = "vonage"
    prefixes = (PATH, BALANCE)
    codes: ClassVar[dict[int, Code]] = {400: 3, 401: 4, 402: 9, 403: 8, 429: 1}

    async def handle(self, request: Request) -> Response:
        fields = await _fields(request)
        user, password = basic(request.header("authorization")) or (fields.get("api_key", ""), fields.get("api_secret", ""))
        account = self.house.accounts.check(self.name, user, user, password)
        if request.path == BALANCE and request.method == "GET":
            return self.failure(401) if account is None else self.balance(account, lambda left: {"value": left, "autoReload": False})
        if request.path != PATH or request.method != "POST":
            return self.failure(404)
        if account is None:
            return self.failure(200, 4)
        ttl = fields.get("ttl", "")
        order = Order(
            to=f"+{fields.get('to', '').removeprefix('+')}",
            sender=fields.get("from", ""),
            body=fields.get("text", ""),
            callback_url=fields.get("callback"),
            reference=fields.get("client-ref"),
            validity=int(ttl) // 1000 if ttl.isdecimal() else None,
        )
        return await self.take(request, account, order, self._objection(fields))

    def new(self, account: Account, order: Order) -> Message:
        now, count = time.time(), measure(order.body).count
        parts = tuple(os.urandom(8).hex().upper() for _ in range(max(count, 1)))
        return Message(
            sid=parts[0],
            account=account.sid,
            to=order.to,
            sender=order.sender,
            body=order.body,
            reference=order.reference,
            callback_url=order.callback_url or account.settings.reports_url,
            segments=count,
            created=now,
            updated=now,
            parts=parts,
        )

    def content(self, message: Message) -> dict[str, object]:
        common = {
            "to": message.to.removeprefix("+"),
            "status": "0",
            "remaining-balance": "3.14159265",
            "message-price": "0.03330000",
            "network": "12345",
        }
        if message.reference is not None:
            common["client-ref"] = message.reference
        entries = [{**common, "message-id": part} for part in message.parts]
        return {"message-count": str(len(entries)), "messages": entries}

    def without_id(self, content: dict[str, object]) -> dict[str, object]:
        return {**content, "messages": [{"status": "0"}]}

    def failure(self, status: int, code: Code | None = None, message: str | None = None, retry_after: int | None = None) -> Response:
        """With a code, a part that was refused, in a 200; without one, an HTTP error from the gate before the API."""
        if code is None:
            headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
            return json_answer(status, {"title": f"HTTP {status}", "detail": message or "no"}, headers)
        text = message or _TEXTS.get(str(code), f"Error {code}")
        return json_answer(200, {"message-count": "1", "messages": [{"status": str(code), "error-text": text}]})

    def reporters(self, account: Account, message: Message, key: str | None) -> Sequence[Callable[[Step], Post]]:
        return [partial(self._part_report, account, message, key, part) for part in message.parts]

    def report(self, account: Account, message: Message, step: Step, key: str | None) -> Post:
        return self._part_report(account, message, key, message.sid, step)

    def _part_report(self, account: Account, message: Message, key: str | None, part: str, step: Step) -> Post:
        word, code = _WORDS.get(step.status, (step.status, 99))
        fields = {
            "msisdn": message.to.removeprefix("+"),
            "to": message.sender,
            "network-code": "12345",
            "messageId": part,
            "price": "0.03330000",
            "status": word,
            "scts": time.strftime("%y%m%d%H%M", time.gmtime()),
            "err-code": str(code if step.error_code is None else step.error_code),
            "api-key": account.sid,
            "message-timestamp": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
        }
        if message.reference is not None:
            fields["client-ref"] = message.reference
        return _post(account, message.callback_url or "", fields, key)

    def incoming(self, account: Account, message: Incoming, key: str | None) -> Post:
        fields = {
            "api-key": account.sid,
            "msisdn": message.sender.removeprefix("+"),
            "to": message.to.removeprefix("+"),
            "messageId": os.urandom(8).hex().upper(),
            "text": message.text,
            "type": "text" if message.text.isascii() else "unicode",
            "keyword": message.text.split(" ")[0].upper(),
            "message-timestamp": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
        }
        return _post(account, message.url, fields, key)

    def _objection(self, fields: Mapping[str, str]) -> int | None:
        ttl = fields.get("ttl", "20000")
        faults = (
            (not all(fields.get(name) for name in ("from", "to", "text")), 2),
            (_TO.fullmatch(fields.get("to", "").removeprefix("+")) is None, 3),
            (not ttl.isdecimal() or int(ttl) not in _TTL, 3),
            (len(fields.get("client-ref", "")) > 100, 3),
            (len(fields.get("callback", "")) > 100, 3),
            (not self.may_call(fields.get("callback")), 23),
        )
        return next((code for wrong, code in faults if wrong), None)


def _post(account: Account, url: str, fields: dict[str, str], key: str | None) -> Post:
    if key is not None:
        fields = {**fields, "timestamp": str(int(time.time())), "nonce": os.urandom(16).hex()}
        fields["sig"] = sign(key, account.settings.signature_method or "md5hash", fields)
    match account.settings.report_method:
        case "GET":
            return Post(method="GET", url=f"{url}{'&' if '?' in url else '?'}{urlencode(fields)}")
        case "POST":
            return Post(url=url, headers={"Content-Type": "application/x-www-form-urlencoded"}, body=urlencode(fields).encode())
    return Post(url=url, headers={"Content-Type": "application/json"}, body=json.dumps(fields).encode())


async def _fields(request: Request) -> dict[str, str]:
    body = request.body.decode("utf-8", "replace")
    if "json" not in request.header("content-type"):
        return dict(parse_qsl(body, keep_blank_values=True))
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return {name: str(value) for name, value in found.items()} if isinstance(found, dict) else {}
