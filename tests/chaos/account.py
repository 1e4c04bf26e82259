"""
The account of a run, in Jepsen's words: what clients know, what PostgreSQL has, and what providers took, set against each other. Pure.

* attempted     keys that clients sent with, each for one text that nobody else uses
* acknowledged  those answered 202
* ok            acknowledged, and a provider took it once, and PostgreSQL says so
* lost          acknowledged, and not there, or ended as if it need not be sent, or shown as sent and never taken
* duplicated    two messages for one key; taken twice where somebody could know; taken twice for one attempt
* unexpected    taken or stored without a client that ever asked for it; an answer that a good client must never see
* stuck         acknowledged, and after all patience neither ended nor with a provider
* unanswered    attempted, and to the end no clear answer
* recovered     there, though some try for it had ended without a clear answer
* unknown       ended as `unknown`: nobody can say whether the provider has it, and the policy is not to send it again
* twice         taken twice because nobody could know and the policy is to send it again; each with its reason
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

SENT = frozenset({"sent", "delivered"})
FINAL = frozenset({"delivered", "undelivered", "failed", "expired", "canceled", "rejected", "unknown"})


@dataclass(frozen=True, kw_only=True)
class Attempted:
    """What one client knows of one key."""

    text: str
    client: str
    on_unknown: str = "resend"
    tracking_ids: tuple[str, ...] = ()  #: of every 202, without repetition
    unclear: bool = False  #: some try ended in a time-out, a broken connection or a 503
    canceled: bool = False  #: the client has asked for it back


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A row of `messages`, with what its attempts say. Times are seconds since 1970."""

    id: str
    client: str
    text: str
    status: str
    on_unknown: str
    resends: int = 0
    shown: str | None  #: the status that clients see in the read model
    charged: int = 0  #: segments that have not been given back
    unknown_attempts: Mapping[int, str] = field(default_factory=dict)  #: that had an unknown outcome, even if only for a while, and why
    leases: Mapping[int, float] = field(default_factory=dict)  #: until when each attempt might post


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A send that a provider took."""

    text: str
    attempt: int
    at: float


@dataclass(frozen=True, kw_only=True)
class Charge:
    """What a client has been charged, in segments, by each of the two who keep count."""

    client: str
    counter: int  #: Redis
    usage: int  #: PostgreSQL
    pending: int  #: reservations in Redis that nobody has settled yet, each of one segment


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a scenario may lead to, besides `delivered`."""

    ends: frozenset[str] = frozenset({"delivered"})  #: in which acknowledged messages may be, at the end
    doubt: bool = False  #: whether outcomes may have become unknown
    settled: bool = False  #: no reservation may be left: each is done, or its charge is back
    told: bool = False  #: each send that is taken is told of: in the end there is no doubt left about it


@dataclass(frozen=True, kw_only=True)
class Account:
    """The figures, and what is wrong in words; nothing is wrong: `problems` is empty."""

    attempted: int
    acknowledged: int
    ok: int
    recovered: int
    lost: list[str]
    duplicated: list[str]
    unexpected: list[str]
    stuck: list[str]
    unanswered: list[str]
    unknown: list[str]
    twice: list[str]
    quota: list[str]
    statuses: Mapping[str, int]

    @property
    def problems(self) -> list[str]:
        """Every violation, worst first."""
        found = []
        for name in ("lost", "duplicated", "unexpected", "stuck", "unanswered", "quota"):
            listed = getattr(self, name)
            if listed:
                found.append(f"{name} {len(listed)}: {'; '.join(listed[:3])}{' …' if len(listed) > 3 else ''}")
        return found


def settle(
    *,
    attempted: Sequence[Attempted],
    stored: Sequence[Stored],
    taken: Sequence[Taken],
    aliases: Mapping[str, str],
    charges: Iterable[Charge] = (),
    all_charged: Mapping[str, int] | None = None,
    answers: Collection[str] = (),
    rules: Rules = Rules(),
) -> Account:
    """
    Set one against the other.

    `aliases`: second ids, and the messages that they answer for. `all_charged`: segments of all a client's messages, also of earlier runs
    (none: those of `stored`). `answers`: what clients were told and never should be.
    """
    rows: dict[str, list[Stored]] = defaultdict(list)
    for row in stored:
        if row.status != "rejected":
            rows[row.text].append(row)
    sends: dict[str, list[Taken]] = defaultdict(list)
    for one in taken:
        sends[one.text].append(one)
    by_id = {row.id: row for row in stored}
    books = _Books(rows=rows, sends=sends, by_id=by_id, aliases=aliases, rules=rules)
    for one in attempted:
        books.enter(one)
    known = {one.text for one in attempted}
    strays = [f"taken, and nobody asked for it: {text}" for text in sends if text not in known]
    strays += [f"stored, and nobody asked for it: {text}" for text in rows if text not in known]
    return Account(
        attempted=len(attempted),
        acknowledged=sum(bool(one.tracking_ids) for one in attempted),
        ok=books.ok,
        recovered=books.recovered,
        lost=books.lost,
        duplicated=books.duplicated,
        unexpected=[*strays, *books.unexpected, *answers],
        stuck=books.stuck,
        unanswered=books.unanswered,
        unknown=books.unknown,
        twice=books.twice,
        quota=_quota(charges, _sums(stored) if all_charged is None else all_charged, settled=rules.settled),
        statuses=dict(Counter(row.status for row in stored)),
    )


@dataclass(kw_only=True)
class _Books:
    rows: Mapping[str, list[Stored]]
    sends: Mapping[str, list[Taken]]
    by_id: Mapping[str, Stored]
    aliases: Mapping[str, str]
    rules: Rules
    ok: int = 0
    recovered: int = 0
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)

    def enter(self, one: Attempted) -> None:
        rows, sends = self.rows.get(one.text, []), self.sends.get(one.text, [])
        if not one.tracking_ids:
            self.unanswered.append(one.text)
        if one.unclear and rows:
            self.recovered += 1
        if len(rows) > 1:
            self.duplicated.append(f"{len(rows)} messages for one key: {', '.join(row.id for row in rows)}")
        elif rows:
            self._sends(rows[0], sends)
        elif sends:
            self.unexpected.append(f"taken, and not in PostgreSQL: {one.text}")
        good = [self._acknowledged(one, tracking_id, sends) for tracking_id in one.tracking_ids]
        self.ok += bool(good) and all(good)

    def _acknowledged(self, one: Attempted, tracking_id: str, sends: Sequence[Taken]) -> bool:
        row = self.by_id.get(self.aliases.get(tracking_id, tracking_id))
        if row is None:
            self.lost.append(f"{tracking_id} was acknowledged and is not in PostgreSQL")
        elif row.text != one.text:
            self.unexpected.append(f"{tracking_id} answers for somebody else's message")
        elif row.status not in FINAL | self.rules.ends:
            self.stuck.append(f"{row.id} is still {row.status}")
        else:
            return self._ended(one, row, sends)
        return False

    def _ended(self, one: Attempted, row: Stored, sends: Sequence[Taken]) -> bool:
        if row.status == "unknown" and self.rules.told and sends:
            self.stuck.append(f"{row.id} stayed unknown, and its report had come")
        elif row.status == "unknown" and self.rules.doubt and row.unknown_attempts:
            self.unknown.append(f"{row.id} ({_reason(row)}; {row.on_unknown})")
        elif row.status not in self.rules.ends and not (row.status == "canceled" and one.canceled):
            self.lost.append(f"{row.id} ended as {row.status}")
        elif row.status in SENT and not sends:
            self.lost.append(f"{row.id} is shown as {row.status}, and no provider took it")
        elif row.status not in SENT and sends and not row.unknown_attempts:
            self.unexpected.append(f"{row.id} is shown as {row.status}, and a provider took it")
        elif row.shown != row.status:
            self.stuck.append(f"{row.id} is {row.status} and shown as {row.shown}")
        else:
            return True
        return False

    def _sends(self, row: Stored, sends: Sequence[Taken]) -> None:
        late = [send for send in sends if send.at > row.leases.get(send.attempt, send.at)]
        if late:
            self.unexpected.append(f"{row.id} was posted {late[0].at - row.leases[late[0].attempt]:.1f} s after its lease had run out")
        numbers = Counter(send.attempt for send in sends)
        if any(count > 1 for count in numbers.values()):
            self.duplicated.append(f"{row.id} was taken {len(sends)} times, attempts {sorted(numbers.elements())}")
        elif len(numbers) > 1:
            may = self.rules.doubt and row.on_unknown == "resend" and len(numbers) - 1 <= row.resends
            said = f"{row.id} was taken for attempts {sorted(numbers)} ({_reason(row)}; {row.on_unknown})"
            (self.twice if may else self.duplicated).append(said)


def _reason(row: Stored) -> str:
    return "; ".join(f"attempt {number}: {why}" for number, why in sorted(row.unknown_attempts.items())) or "no attempt was unknown"


def _sums(stored: Iterable[Stored]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for row in stored:
        sums[row.client] += row.charged
    return dict(sums)


def _quota(charges: Iterable[Charge], all_charged: Mapping[str, int], *, settled: bool) -> list[str]:
    found = []
    for charge in charges:
        due = all_charged.get(charge.client, 0)
        if charge.usage != due:
            found.append(f"{charge.client} has messages of {due} segments, and PostgreSQL has charged {charge.usage}")
        if charge.counter < due:
            found.append(f"{charge.client} is undercharged: {charge.counter} of {due} segments")
        if settled and charge.pending:
            found.append(f"{charge.client} has {charge.pending} reservations that nobody has settled")
        if charge.counter - due > charge.pending:
            found.append(f"{charge.client} is charged {charge.counter - due} segments too many, and only {charge.pending} are pending")
    return found
