"""
How an account of a simulated vendor behaves: data, set by the control API.

`rules` are tried in order and the first that applies decides; where none does, the message is accepted. A rule applies to a recipient in
`to` (none: to all), to `share` of those (by the account's seeded random numbers), and to the `first` requests that got so far (None: to
all), counted for each recipient by itself where `per_recipient` is set.

Examples:
    {"rules": [{"action": "refuse", "http_status": 429, "retry_after": 2, "first": 3}]}
    {"rules": [{"action": "accept_then_silence", "to": ["+447911123456"]}]}
    {"seed": 7, "rules": [{"action": "refuse", "http_status": 503, "share": 0.2}], "latency": [0.01, 0.3]}
    {"reports": {"statuses": [{"status": "delivered"}, {"status": "sent", "delay": 1.5}], "copies": 2}}
    {"reports": {"statuses": []}}
    {"reports": {"parts": [[{"status": "undelivered"}], [{"status": "delivered"}]]}}

"""

import random
from enum import StrEnum

import msgspec

#: Seconds: always the same, or evenly between two bounds.
Latency = float | tuple[float, float]
#: A vendor's error code: a number or a word.
Code = int | str


class Action(StrEnum):
    """What becomes of a request."""

    ACCEPT = "accept"
    REFUSE = "refuse"  #: with `http_status`, `code`, `message`, `retry_after`; nothing is accepted
    SILENCE = "silence"  #: nothing is accepted and nothing answered
    RESET = "reset"  #: nothing is accepted, the connection is reset
    ACCEPT_THEN_SILENCE = "accept_then_silence"
    ACCEPT_THEN_500 = "accept_then_500"
    ACCEPT_THEN_RESET = "accept_then_reset"
    MALFORMED_2XX = "malformed_2xx"  #: accepted; the answer is a 2xx that breaks off in the middle
    NO_ID_2XX = "no_id_2xx"  #: accepted; the answer is a 2xx without an id

    @property
    def accepts(self) -> bool:
        """Whether the vendor has the message afterwards."""
        return self not in {Action.REFUSE, Action.SILENCE, Action.RESET}


class Order(StrEnum):
    """In which order reports are posted, whatever the order in which they are written down."""

    GIVEN = "given"
    REVERSED = "reversed"
    SHUFFLED = "shuffled"


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One report: `delay` in seconds after the one before, or after the accept. `status` is the vendor's word, or Twilio's for it."""

    status: str
    delay: float = 0.0
    error_code: int | None = None


class Reports(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The reports on one message; they go to its callback URL, one after the other."""

    statuses: tuple[Step, ...] = (Step("sent"), Step("delivered"))
    parts: tuple[tuple[Step, ...], ...] = ()  #: those on the first part, the second…; parts that are not named here have `statuses`
    copies: int = 1  #: 2: each report comes twice
    order: Order = Order.GIVEN
    missing: float = 0.0  #: the share of messages without any report
    before_answer: bool = False  #: all of them before the request is answered
    forged: float = 0.0  #: the share of messages whose reports carry a wrong signature
    unsigned: bool = False


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One way to misbehave, and when."""

    action: Action = Action.ACCEPT
    to: list[str] = []  #: numbers, or prefixes ending in `*`
    share: float = 1.0
    first: int | None = None
    per_recipient: bool = False
    http_status: int = 400
    code: Code | None = None  #: the vendor's; by default the usual one for the HTTP status
    message: str | None = None
    retry_after: int | None = None  #: seconds
    latency: Latency | None = None  #: in place of the account's
    reports: Reports | None = None  #: in place of the account's


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The whole; by default every message is accepted at once, reported sent and delivered."""

    seed: int = 0
    latency: Latency = 0.0
    rules: list[Rule] = []
    reports: Reports = Reports()


_ACCEPT = Rule()


class Decider:
    """Applies a behaviour, request by request; with the same seed and the same requests it decides the same."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.random = random.Random(behaviour.seed)  # noqa: S311 - repeatable on purpose
        self._seen: dict[tuple[int, str], int] = {}

    def decide(self, recipient: str) -> Rule:
        """The rule for one request."""
        for index, rule in enumerate(self.behaviour.rules):
            if self._applies(index, rule, recipient):
                return rule
        return _ACCEPT

    def latency(self, rule: Rule) -> float:
        """Seconds to wait before the answer."""
        latency = self.behaviour.latency if rule.latency is None else rule.latency
        return self.random.uniform(*latency) if isinstance(latency, tuple) else latency

    def reports(self, rule: Rule) -> Reports:
        """What will be reported on a message that this rule let in."""
        return self.behaviour.reports if rule.reports is None else rule.reports

    def steps(self, reports: Reports, part: int = 0) -> list[Step]:
        """The reports on one message, or on one of its parts, as they will be posted; empty where it is one of those without."""
        statuses = list(reports.parts[part] if part < len(reports.parts) else reports.statuses)
        if not statuses or (reports.missing and self.random.random() < reports.missing):
            return []
        if reports.order is Order.REVERSED:
            statuses.reverse()
        elif reports.order is Order.SHUFFLED:
            self.random.shuffle(statuses)
        return [step for step in statuses for _ in range(reports.copies)]

    def forges(self, reports: Reports) -> bool:
        """Whether the reports on this message are to be signed wrongly."""
        return bool(reports.forged) and self.random.random() < reports.forged

    def _applies(self, index: int, rule: Rule, recipient: str) -> bool:
        if rule.to and not any(_matches(pattern, recipient) for pattern in rule.to):
            return False
        if rule.share < 1 and self.random.random() >= rule.share:
            return False
        if rule.first is None:
            return True
        key = (index, recipient if rule.per_recipient else "")
        self._seen[key] = seen = self._seen.get(key, 0) + 1
        return seen <= rule.first


def _matches(pattern: str, recipient: str) -> bool:
    return recipient.startswith(pattern[:-1]) if pattern.endswith("*") else recipient == pattern
