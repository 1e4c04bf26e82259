"""
Why a send did not end in "accepted".

* SendError
  x NotSentError          provably nothing was written: DNS, connect, TLS, no slot
  x UnavailableError      an answer known to mean "not taken": slow down, or busy
  x UnsuitableError       not for this provider: sender, destination or route not allowed there
  x MisconfiguredError    our account, key or balance is wrong: stop using it, tell the operators
  x RefusedError          the message itself is bad; every provider would say so
  x UnknownOutcomeError   bytes went out and no clear answer came: it may be on a handset already

Callers branch on the flags, or on `outcome`, never on the class.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class Outcome(StrEnum):
    """How an attempt ended, as far as the provider's answer tells."""

    ACCEPTED = "accepted"
    NOT_SENT = "not_sent"
    UNAVAILABLE = "unavailable"
    NOT_FOR_THIS_PROVIDER = "not_for_this_provider"
    MISCONFIGURED = "misconfigured"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class SendError(Exception):
    """A send did not end in "accepted"."""

    outcome: ClassVar[Outcome]
    default_code: ClassVar[str]
    tries_next: ClassVar[bool] = False  #: the next provider may have it at once
    is_final: ClassVar[bool] = False  #: the message fails; no provider is tried any more
    is_unknown: ClassVar[bool] = False  #: to be found out before anything else is done
    opens_circuit: ClassVar[bool] = False  #: nothing more goes to this provider until it is mended

    def __init__(
        self,
        detail: str = "",
        *,
        code: str | None = None,
        provider_code: str | None = None,
        retry_after: float | None = None,
        throttled: bool = False,
        opted_out: bool = False,
        remembered: bool = False,
    ) -> None:
        super().__init__(detail)
        self.detail = detail  #: redacted: no secret, no number, no text
        self.code = code or self.default_code  #: of the catalogue
        self.provider_code = provider_code
        self.retry_after = retry_after  #: seconds, where the vendor named them
        self.throttled = throttled  #: it is busy, not ill
        self.opted_out = opted_out  #: the number belongs on the suppression list
        self.remembered = remembered  #: (provider, sender) is to be avoided for a while

    @property
    def counts_against_circuit(self) -> bool:
        """Whether this speaks against the provider's health; a refusal does not, nor does "slow down"."""
        return not self.throttled and self.outcome in {Outcome.NOT_SENT, Outcome.UNAVAILABLE, Outcome.MISCONFIGURED, Outcome.UNKNOWN}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.detail!r}, code={self.code!r}, provider_code={self.provider_code!r})"


class NotSentError(SendError):
    """Provably nothing was written."""

    outcome = Outcome.NOT_SENT
    default_code = "provider.unavailable"
    tries_next = True


class UnavailableError(SendError):
    """The provider said that it has not taken the message."""

    outcome = Outcome.UNAVAILABLE
    default_code = "provider.unavailable"
    tries_next = True


class UnsuitableError(SendError):
    """Not for this provider; another may take it."""

    outcome = Outcome.NOT_FOR_THIS_PROVIDER
    default_code = "sender.not_allowed"
    tries_next = True


class MisconfiguredError(SendError):
    """The provider account is unusable until an operator mends it."""

    outcome = Outcome.MISCONFIGURED
    default_code = "provider.misconfigured"
    tries_next = True
    opens_circuit = True


class RefusedError(SendError):
    """The message will be refused by whomever it is given to."""

    outcome = Outcome.REFUSED
    default_code = "content.blocked"
    is_final = True


class UnknownOutcomeError(SendError):
    """Nobody can say whether the provider has it."""

    outcome = Outcome.UNKNOWN
    default_code = "provider.unknown_outcome"
    is_unknown = True


ERRORS: dict[Outcome, type[SendError]] = {
    cls.outcome: cls for cls in (NotSentError, UnavailableError, UnsuitableError, MisconfiguredError, RefusedError, UnknownOutcomeError)
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What a vendor's documented error code means: a row of an adapter's table."""

    outcome: Outcome
    code: str
    throttled: bool = False
    opted_out: bool = False
    remembered: bool = False

    def error(self, detail: str = "", *, provider_code: str | None = None, retry_after: float | None = None) -> SendError:
        """The error that this fault is raised as."""
        return ERRORS[self.outcome](
            detail,
            code=self.code,
            provider_code=provider_code,
            retry_after=retry_after,
            throttled=self.throttled,
            opted_out=self.opted_out,
            remembered=self.remembered,
        )


def refused(code: str, *, opted_out: bool = False) -> Fault:
    """The message is bad: number, opt-out, content."""
    return Fault(Outcome.REFUSED, code, opted_out=opted_out)


def unsuitable(code: str = "sender.not_allowed", *, remembered: bool = True) -> Fault:
    """Sender, destination or route is not allowed at this provider."""
    return Fault(Outcome.NOT_FOR_THIS_PROVIDER, code, remembered=remembered)


def unavailable(*, throttled: bool = False) -> Fault:
    """Not taken, now."""
    return Fault(Outcome.UNAVAILABLE, "provider.throttled" if throttled else "provider.unavailable", throttled=throttled)


MISCONFIGURED = Fault(Outcome.MISCONFIGURED, "provider.misconfigured")
UNKNOWN = Fault(Outcome.UNKNOWN, "provider.unknown_outcome")
