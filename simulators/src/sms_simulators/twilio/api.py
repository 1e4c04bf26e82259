"""Twilio's wire format: what a request has to look like, and what the answers look like."""

import asyncio
import re
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from sms_simulators.accounts import Account, Accounts
from sms_simulators.behaviour import Action, Rule, Step
from sms_simulators.ledger import Entry, Ledger, hints
from sms_simulators.reports import Job, Reporter
from sms_simulators.twilio.answers import CODES, answer, broken_off, failure, reset, say_nothing
from sms_simulators.twilio.messages import CANCELABLE, Message, new_message
from sms_simulators.twilio.signature import sign

PREFIX: Final = "/2010-04-01/Accounts/"
_CREATE = "/Messages.json"
_MAX_VALIDITY = 36000
_MAX_CHARACTERS = 1600
_TO = re.compile(r"\+[1-9][0-9]{6,14}")


class TwilioApi:
    """Messages: create, fetch, list, cancel, redact, delete."""

    def __init__(self, *, accounts: Accounts, ledger: Ledger, reporter: Reporter, allow_remote: bool = False) -> None:
        self._accounts = accounts
        self._ledger = ledger
        self._reporter = reporter
        self._allow_remote = allow_remote
        self.messages: dict[str, Message] = {}

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Any request below `/2010-04-01/Accounts/`."""
        sid, slash, rest = request.path.removeprefix(PREFIX).partition("/")
        account = self._accounts.authenticate(sid, request.headers.get("Authorization", ""))
        if account is None:
            return failure(401)
        if rest == "Messages.json":
            return await self._messages(request, account)
        message = self.messages.get(rest.removeprefix("Messages/").removesuffix(".json"))
        if not slash or message is None or message.account != sid:
            return failure(404)
        return await self._message(request, message)

    async def _messages(self, request: web.BaseRequest, account: Account) -> web.StreamResponse:
        match request.method:
            case "POST":
                return await self._create(request, account)
            case "GET":
                return self._list(request, account)
        return failure(405)

    async def _message(self, request: web.BaseRequest, message: Message) -> web.StreamResponse:
        match request.method:
            case "GET":
                return answer(200, message.resource())
            case "POST":
                return await self._update(request, message)
            case "DELETE":
                del self.messages[message.sid]
                return web.Response(status=204)
        return failure(405)

    async def _create(self, request: web.BaseRequest, account: Account) -> web.StreamResponse:
        form = await _form(request)
        rule = account.decider.decide(form.get("To", ""))
        code = None if rule.action is Action.REFUSE else self._objection(form)
        if code is not None:
            rule = Rule(action=Action.REFUSE, code=code)
        pause = account.decider.latency(rule)
        if not rule.action.accepts:
            self._ledger.add(_entry(account, form, rule, None))
            return await _refuse(request, rule, pause)
        message = new_message(account=account.sid, form=form)
        self.messages[message.sid] = message
        self._ledger.add(_entry(account, form, rule, message))
        return await self._answer(request, account=account, rule=rule, message=message, pause=pause)

    async def _answer(
        self, request: web.BaseRequest, *, account: Account, rule: Rule, message: Message, pause: float
    ) -> web.StreamResponse:
        reports = account.decider.reports(rule)
        resource = message.resource()
        signer = None if reports.unsigned else account.settings.auth_token + ("-forged" if account.decider.forges(reports) else "")
        job = Job(message=message, steps=account.decider.steps(reports), compose=lambda step: _callback(message, step, signer))
        if reports.before_answer and message.callback_url is not None:
            await self._reporter.post_all(job)
        elif pause == 0 or rule.action is not Action.ACCEPT:
            self._reporter.schedule(job)
        else:
            asyncio.get_running_loop().call_later(pause, self._reporter.schedule, job)
        if pause:
            await asyncio.sleep(pause)
        match rule.action:
            case Action.ACCEPT_THEN_SILENCE:
                return await say_nothing(request)
            case Action.ACCEPT_THEN_RESET:
                return reset(request)
            case Action.ACCEPT_THEN_500:
                return failure(500)
            case Action.MALFORMED_2XX:
                return broken_off(resource)
            case Action.NO_ID_2XX:
                return answer(201, {**resource, "sid": None})
        return answer(201, resource)

    async def _update(self, request: web.BaseRequest, message: Message) -> web.Response:
        form = await _form(request)
        if form.get("Status") == "canceled":
            if message.status not in CANCELABLE:
                return failure(400, 30409)
            message.status = "canceled"
        if form.get("Body") == "":
            message.body = ""
        return answer(200, message.resource())

    def _list(self, request: web.BaseRequest, account: Account) -> web.Response:
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
        more = f"{uri}?{request.rel_url.update_query(Page=page + 1, PageSize=size).query_string}"
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
        return answer(200, content)

    def _objection(self, form: dict[str, str]) -> int | None:
        """The code with which Twilio refuses such a request; None: it is in order."""
        to, body, validity, callback = form.get("To"), form.get("Body"), form.get("ValidityPeriod", "1"), form.get("StatusCallback")
        faults = (
            (not to, 21604),
            (_TO.fullmatch(to or "") is None, 21211),
            (not form.get("From") and not form.get("MessagingServiceSid"), 21603),
            (not body, 21602),
            (len(body or "") > _MAX_CHARACTERS, 21617),
            (not validity.isdecimal() or not 1 <= int(validity) <= _MAX_VALIDITY, 21624),
            (callback is not None and not self._may_call(callback), 21609),
        )
        return next((code for wrong, code in faults if wrong), None)

    def _may_call(self, url: str) -> bool:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            return False
        return self._allow_remote or is_loopback(parts.hostname)


def is_loopback(host: str) -> bool:
    """Whether a host name or address stays on this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _callback(message: Message, step: Step, token: str | None) -> tuple[dict[str, str], dict[str, str]]:
    fields = message.callback_fields(step)
    return fields, {} if token is None else {"X-Twilio-Signature": sign(token, message.callback_url or "", fields)}


async def _form(request: web.BaseRequest) -> dict[str, str]:
    return dict(parse_qsl((await request.read()).decode("utf-8", "replace"), keep_blank_values=True))


def _entry(account: Account, form: dict[str, str], rule: Rule, message: Message | None) -> Entry:
    callback = form.get("StatusCallback")
    tracking_id, attempt = hints(callback)
    validity = form.get("ValidityPeriod", "")
    return Entry(
        account=account.sid,
        to=form.get("To", ""),
        sender=form.get("From", ""),
        body=form.get("Body", ""),
        outcome=rule.action.value,
        accepted=message is not None,
        accepted_at=time.time() if message is None else message.created,
        sid=None if message is None else message.sid,
        messaging_service=form.get("MessagingServiceSid"),
        callback_url=callback,
        validity=int(validity) if validity.isdecimal() else None,
        tracking_id=tracking_id,
        attempt=attempt,
        code=None if message is not None else rule.code or CODES.get(rule.http_status),
    )


async def _refuse(request: web.BaseRequest, rule: Rule, pause: float) -> web.StreamResponse:
    if pause:
        await asyncio.sleep(pause)
    if rule.action is Action.SILENCE:
        return await say_nothing(request)
    if rule.action is Action.RESET:
        return reset(request)
    return failure(rule.http_status, rule.code, rule.message, rule.retry_after)
