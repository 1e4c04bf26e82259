"""Plivo's Message API: errors in words, reports for each part, signed by the URL alone."""

import re
import secrets
import time
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final
from urllib.parse import urlencode

import msgspec

from sms_contract.segments import measure
from sms_simulators.accounts import Account
from sms_simulators.behaviour import Code, Step
from sms_simulators.http import Request, Response, json_answer
from sms_simulators.messages import Incoming, Message, Order
from sms_simulators.plivo.signature import sign
from sms_simulators.reports import Post
from sms_simulators.vendor import Vendor

PREFIX: Final = "/v1/Account/"
_NUMBER = re.compile(r"\+?[1-9][0-9]{6,14}")
_MAX_CHARACTERS = 1600
_WORDS: Final = {
    400: "bad request",
    401: "Could not verify your access level for that URL. You have to login with proper credentials",
    403: "region not enabled",
    404: "not found",
    429: "Too many requests",
    500: "Internal server error",
}
_CODES: Final = {"undelivered": "70", "failed": "1000", "rejected": "30", "expired": "420"}


class Plivo(Vendor[Message]):
    """Create and fetch messages. `expired` is reported as Plivo does it: undelivered, code 420."""

    name = "plivo"
    prefixes = (PREFIX,)
    success = 202

    async def handle(self, request: Request) -> Response:
        sid, _, rest = request.path.removeprefix(PREFIX).partition("/")
        account = self.house.accounts.authenticate(sid, request.header("authorization"), self.name)
        if account is None:
            return self.failure(401)
        if rest == "Message/" and request.method == "POST":
            return await self._create(request, account)
        if not rest and request.method == "GET":
            return self.balance(account, lambda left: {"auth_id": sid, "billing_mode": "prepaid", "cash_credits": f"{left:.5f}"})
        message = self.messages.get(rest.removeprefix("Message/").removesuffix("/"))
        if request.method != "GET" or message is None or message.account != sid:
            return self.failure(404)
        return json_answer(200, _resource(message))

    async def _create(self, request: Request, account: Account) -> Response:
        try:
            fields = msgspec.json.decode(request.body, type=dict[str, object])
        except msgspec.DecodeError:
            return self.failure(400, message="no JSON")
        order = Order(
            to=f"+{str(fields.get('dst', '')).removeprefix('+')}",
            sender=str(fields.get("src") or ""),
            body=str(fields.get("text") or ""),
            callback_url=None if fields.get("url") is None else str(fields["url"]),
            messaging_service=None if fields.get("powerpack_uuid") is None else str(fields["powerpack_uuid"]),
        )
        return await self.take(request, account, order, self._objection(order))

    def _objection(self, order: Order) -> str | None:
        if bool(order.sender) is (order.messaging_service is not None):
            return "either src or powerpack_uuid is needed"
        if not order.body or len(order.body) > _MAX_CHARACTERS:
            return "text is empty or too long"
        if not self.may_call(order.callback_url):
            return "url is not valid"
        return None if _NUMBER.fullmatch(order.to) else "invalid_number"

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

    def content(self, message: Message) -> dict[str, object]:
        return {"api_id": str(uuid.uuid4()), "message": "message(s) queued", "message_uuid": [message.sid]}

    def without_id(self, content: dict[str, object]) -> dict[str, object]:
        return {**content, "message_uuid": []}

    def failure(self, status: int, code: Code | None = None, message: str | None = None, retry_after: int | None = None) -> Response:
        if code == "invalid_number":
            return json_answer(202, {"api_id": str(uuid.uuid4()), "message": "no message", "message_uuid": [], "invalid_number": ["?"]})
        words = message or (str(code) if code is not None else _WORDS.get(status, "error"))
        answer = json_answer(status, {"api_id": str(uuid.uuid4()), "error": words})
        if retry_after is not None:
            answer.headers["Retry-After"] = str(retry_after)
        return answer

    def signing_key(self, account: Account) -> str | None:
        return account.settings.auth_token

    def reporters(self, account: Account, message: Message, key: str | None) -> Sequence[Callable[[Step], Post]]:  # noqa: ARG002
        return [partial(self._part, message, key, index) for index in range(1, message.segments + 1)]

    def report(self, account: Account, message: Message, step: Step, key: str | None) -> Post:  # noqa: ARG002
        return self._part(message, key, 1, step)

    def _part(self, message: Message, key: str | None, index: int, step: Step) -> Post:
        code = _CODES.get(step.status, "000") if step.error_code is None else str(step.error_code)
        fields = {
            "MessageUUID": message.sid if index == 1 else str(uuid.uuid5(uuid.NAMESPACE_OID, f"{message.sid}{index}")),
            "ParentMessageUUID": message.sid,
            "PartInfo": f"{index} of {message.segments}",
            "To": message.to.removeprefix("+"),
            "From": message.sender,
            "Status": "undelivered" if step.status == "expired" else step.status,
            "ErrorCode": code,
            "Units": str(message.segments),
            "TotalRate": "0.0050",
            "TotalAmount": "0.0050",
            "Sequence": str(index),
        }
        if step.status == "delivered":
            fields["DeliveryReportTime"] = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        return _signed(message.callback_url or "", fields, key)

    def incoming(self, account: Account, message: Incoming, key: str | None) -> Post:  # noqa: ARG002
        fields = {
            "MessageUUID": str(uuid.uuid4()),
            "From": message.sender.removeprefix("+"),
            "To": message.to.removeprefix("+"),
            "Text": message.text,
            "Type": "sms",
            "Units": str(measure(message.text).count),
            "TotalRate": "0",
            "TotalAmount": "0",
        }
        return _signed(message.url, fields, key)


def _signed(url: str, fields: dict[str, str], key: str | None) -> Post:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if key is not None:
        nonce = str(secrets.randbelow(10**20))
        headers |= {"X-Plivo-Signature-V2": sign(key, url, nonce), "X-Plivo-Signature-V2-Nonce": nonce}
    return Post(url=url, headers=headers, body=urlencode(fields).encode())


def _resource(message: Message) -> dict[str, object]:
    return {
        "api_id": str(uuid.uuid4()),
        "message_uuid": message.sid,
        "message_state": message.status,
        "message_direction": "outbound",
        "message_type": "sms",
        "message_time": time.strftime("%Y-%m-%d %H:%M:%S+00:00", time.gmtime(message.created)),
        "from_number": message.sender,
        "to_number": message.to.removeprefix("+"),
        "units": message.segments,
        "error_code": "000",
        "total_rate": "0.00500",
        "total_amount": "0.00500",
        "resource_uri": f"{PREFIX}{message.account}/Message/{message.sid}/",
    }
