"""Kannel's `sendsms`, as smsbox 1.4.5 answers it: in words, without an id; a report is a GET of the URL that came with the message."""

import re
import time
import uuid
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

from sms_contract.segments import measure
from sms_simulators.accounts import Account
from sms_simulators.behaviour import Code, Step
from sms_simulators.http import Request, Response, text_answer
from sms_simulators.messages import Incoming, Message, Order
from sms_simulators.reports import Post
from sms_simulators.vendor import Vendor

PATH: Final = "/cgi-bin/sendsms"
_ESCAPE = re.compile(r"%(.)")
_WORDS: Final = {403: "Authorization failed for sendsms", 500: "Sending failed."}
#: Bit and the carrier's words, for Twilio's words; other words are bits.
_REPORTS: Final = {
    "queued": ("4", ""),
    "sent": ("8", "ACK/"),
    "delivered": ("1", "id:77 sub:001 dlvrd:001 stat:DELIVRD err:000 text:"),
    "undelivered": ("2", "id:77 sub:001 dlvrd:000 stat:UNDELIV err:034 text:"),
    "expired": ("2", "id:77 sub:001 dlvrd:000 stat:EXPIRED err:000 text:"),
    "failed": ("16", "NACK/11/Invalid Destination Address"),
}


class Kannel(Vendor[Message]):
    """A `sendsms-user` is an account: its name the user, its token the password."""

    name = "kannel"
    prefixes = (PATH,)
    success = 202

    async def handle(self, request: Request) -> Response:
        raw = dict(parse_qsl(request.query_string, keep_blank_values=True, encoding="latin-1"))
        charset = "utf-16-be" if raw.get("charset", "").upper() == "UTF-16BE" else "utf-8"
        fields = {name: value.encode("latin-1").decode(charset if name == "text" else "utf-8", "replace") for name, value in raw.items()}
        account = self.house.accounts.check(self.name, fields.get("username", ""), fields.get("username", ""), fields.get("password", ""))
        if account is None:
            return self.failure(403)
        validity, mask = fields.get("validity", ""), fields.get("dlr-mask", "0")
        order = Order(
            to=fields.get("to", ""),
            sender=fields.get("from", ""),
            body=fields.get("text", ""),
            callback_url=fields.get("dlr-url") if mask != "0" else None,
            validity=int(validity) * 60 if validity.isdecimal() else None,
        )
        return await self.take(request, account, order, self._objection(order))

    def _objection(self, order: Order) -> str | None:
        if not order.to:
            return "Missing receiver number, rejected"
        if not order.sender:
            return "Sender missing and no global set, rejected"
        return None if self.may_call(order.callback_url) else "DLR-URL field misformed, rejected"

    def new(self, account: Account, order: Order) -> Message:
        now = time.time()
        return Message(
            sid=str(uuid.uuid4()),
            account=account.sid,
            to=order.to,
            sender=order.sender,
            body=order.body,
            callback_url=order.callback_url,
            segments=measure(order.body).count,
            created=now,
            updated=now,
        )

    def content(self, message: Message) -> dict[str, object]:  # noqa: ARG002
        return {"words": "0: Accepted for delivery"}

    def yes(self, content: dict[str, object]) -> Response:
        return text_answer(self.success, str(content["words"]), content_type="text/html")

    def without_id(self, content: dict[str, object]) -> dict[str, object]:  # noqa: ARG002
        return {"words": ""}

    def failure(self, status: int, code: Code | None = None, message: str | None = None, retry_after: int | None = None) -> Response:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        words = message or str(code or _WORDS.get(status, f"HTTP {status}"))
        return text_answer(status, words, headers, content_type="text/html")

    def report(self, account: Account, message: Message, step: Step, key: str | None) -> Post:  # noqa: ARG002
        bit, answer = _REPORTS.get(step.status, (step.status, ""))
        filled = {"d": bit, "A": quote(answer), "%": "%", "p": quote(message.sender), "P": quote(message.to)}
        return Post(method="GET", url=_ESCAPE.sub(lambda found: filled.get(found[1], ""), message.callback_url or ""))

    def incoming(self, account: Account, message: Incoming, key: str | None) -> Post:  # noqa: ARG002
        fields = {"id": str(uuid.uuid4()), "from": message.sender, "to": message.to, "text": message.text}
        return Post(method="GET", url=f"{message.url}?{urlencode(fields)}")
