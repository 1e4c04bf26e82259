"""What every simulated vendor does with a request to send; a vendor of its own says only how it speaks."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from sms_simulators.accounts import Account, Accounts
from sms_simulators.addresses import may_call
from sms_simulators.answers import broken_off, reset, say_nothing
from sms_simulators.behaviour import Action, Code, Rule, Step
from sms_simulators.http import Request, Response, json_answer
from sms_simulators.ledger import Entry, Ledger, hints
from sms_simulators.messages import Incoming, Message, Order
from sms_simulators.reports import Job, Post, Reporter


@dataclass(frozen=True, kw_only=True, slots=True)
class House:
    """What all vendors of a process share."""

    accounts: Accounts
    ledger: Ledger
    reporter: Reporter
    allow_remote: bool = False


class Vendor[M: Message](ABC):
    """One vendor's wire format."""

    name: ClassVar[str]
    prefixes: ClassVar[tuple[str, ...]]  #: of the paths that are this vendor's
    success: ClassVar[int] = 200  #: the HTTP status of an accept
    codes: ClassVar[dict[int, Code]] = {}  #: the vendor's usual code with an HTTP status

    def __init__(self, house: House) -> None:
        self.house = house
        self.messages: dict[str, M] = {}

    @abstractmethod
    async def handle(self, request: Request) -> Response:
        """Any request to one of its paths."""

    @abstractmethod
    def new(self, account: Account, order: Order) -> M:
        """The message that a valid request makes."""

    @abstractmethod
    def content(self, message: M) -> dict[str, object]:
        """What an accept says."""

    @abstractmethod
    def without_id(self, content: dict[str, object]) -> dict[str, object]:
        """The same, with the id left out."""

    @abstractmethod
    def failure(self, status: int, code: Code | None = None, message: str | None = None, retry_after: int | None = None) -> Response:
        """A refusal in the vendor's shape."""

    @abstractmethod
    def report(self, account: Account, message: M, step: Step, key: str | None) -> Post:
        """One report, signed with `key` if there is one."""

    @abstractmethod
    def incoming(self, account: Account, message: Incoming, key: str | None) -> Post:
        """A message from a person, signed with `key` if there is one."""

    def yes(self, content: dict[str, object]) -> Response:
        """An accept that says this."""
        return json_answer(self.success, content)

    def refusal(self, account: Account, order: Order, rule: Rule) -> Response:  # noqa: ARG002 - for vendors
        """The answer to a request that is refused."""
        return self.failure(rule.http_status, rule.code, rule.message, rule.retry_after)

    def balance(self, account: Account, content: Callable[[float], dict[str, object]]) -> Response:
        """What is left in an account, in the vendor's shape; 500 where it shall not be told."""
        left = account.settings.balance
        return self.failure(500) if left is None else json_answer(200, content(left))

    def signing_key(self, account: Account) -> str | None:
        """With what this account's reports are signed; None: they are not."""
        return account.settings.signature_secret

    def shown(self, account: Account) -> dict[str, object]:  # noqa: ARG002 - for vendors
        """What the control API tells of an account besides its settings."""
        return {}

    def reporters(self, account: Account, message: M, key: str | None) -> Sequence[Callable[[Step], Post]]:
        """What writes the reports on a message: one for each part, where the vendor reports parts."""
        return [lambda step: self.report(account, message, step, key)]

    def may_call(self, url: str | None) -> bool:
        """Whether a request may ask for reports to be posted there."""
        return url is None or may_call(url, allow_remote=self.house.allow_remote)

    async def take(self, request: Request, account: Account, order: Order, objection: Code | None) -> Response:
        """Decide on a request to send, write it down, report, and answer; `objection`: the code with which the vendor refuses it."""
        rule = account.decider.decide(order.to)
        if objection is not None and rule.action is not Action.REFUSE:
            rule = Rule(action=Action.REFUSE, code=objection)
        pause = account.decider.latency(rule)
        if not rule.action.accepts:
            self.house.ledger.add(self._entry(account, order, rule, None))
            return await self._refuse(request, self.refusal(account, order, rule), rule, pause)
        message = self.new(account, order)
        self.messages[message.sid] = message
        self.house.ledger.add(self._entry(account, order, rule, message))
        content = self.content(message)
        await self._report(account, rule, message, pause)
        if pause:
            await asyncio.sleep(pause)
        match rule.action:
            case Action.ACCEPT_THEN_SILENCE:
                return await say_nothing(request)
            case Action.ACCEPT_THEN_RESET:
                return reset(request)
            case Action.ACCEPT_THEN_500:
                return self.failure(500)
            case Action.MALFORMED_2XX:
                return broken_off(self.yes(content))
            case Action.NO_ID_2XX:
                return self.yes(self.without_id(content))
        return self.yes(content)

    def key_for(self, account: Account, *, forged: bool, unsigned: bool) -> str | None:
        """The key, or a wrong one, or none."""
        key = None if unsigned else self.signing_key(account)
        return f"{key}-forged" if forged and key is not None else key

    async def _report(self, account: Account, rule: Rule, message: M, pause: float) -> None:
        reports, reporter = account.decider.reports(rule), self.house.reporter
        key = self.key_for(account, forged=account.decider.forges(reports), unsigned=reports.unsigned)
        for part, compose in enumerate(self.reporters(account, message, key)):
            job = Job(message=message, steps=account.decider.steps(reports, part), compose=compose)
            if reports.before_answer and message.callback_url is not None:
                await reporter.post_all(job)
            elif pause == 0 or rule.action is not Action.ACCEPT:
                reporter.schedule(job)
            else:
                asyncio.get_running_loop().call_later(pause, reporter.schedule, job)

    async def _refuse(self, request: Request, answer: Response, rule: Rule, pause: float) -> Response:
        if pause:
            await asyncio.sleep(pause)
        if rule.action is Action.SILENCE:
            return await say_nothing(request)
        if rule.action is Action.RESET:
            return reset(request)
        return answer

    def _entry(self, account: Account, order: Order, rule: Rule, message: M | None) -> Entry:
        tracking_id, attempt = hints(order.callback_url)
        return Entry(
            account=account.sid,
            to=order.to,
            sender=order.sender,
            body=order.body,
            outcome=rule.action.value,
            accepted=message is not None,
            accepted_at=time.time() if message is None else message.created,
            sid=None if message is None else message.sid,
            reference=order.reference,
            messaging_service=order.messaging_service,
            callback_url=order.callback_url,
            validity=order.validity,
            tracking_id=tracking_id or (None if order.reference is None else order.reference.partition(".")[0]),
            attempt=attempt,
            code=None if message is not None else rule.code or self.codes.get(rule.http_status),
        )
