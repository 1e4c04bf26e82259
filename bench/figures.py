"""From measurements to figures: medians over rounds, the ratio, a bar."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.wrk import Measurement


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One target, over all rounds. Medians, because a round that somebody else disturbed must not count."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float


def figures(rounds: Sequence[Measurement]) -> Figures:
    """The middle of what was measured."""
    return Figures(
        requests_per_second=round(median(one.requests_per_second for one in rounds), 1),
        p50_ms=round(median(one.p50_ms for one in rounds), 2),
        p99_ms=round(median(one.p99_ms for one in rounds), 2),
    )


def ratio(gateway: Figures, baseline: Figures) -> float:
    """The gateway's rate in baselines."""
    return round(gateway.requests_per_second / baseline.requests_per_second, 3)


def bar(value: float, most: float, *, width: int = 30) -> str:
    """As long as its share of the longest."""
    return "█" * max(1, round(width * value / most))


@dataclass(frozen=True, kw_only=True)
class Account:
    """What was accepted, by three who do not know of each other: the clients, the gateway, and the queue."""

    answered: int  #: 202s that reached the load generator
    accepted: int  #: 202s that the gateway counted; some of them go to connections that are being closed
    queued: int  #: submissions in the queue
    distinct: int  #: their tracking ids
    cut_off: int  #: requests that may have been under way when a run ended

    @property
    def lost(self) -> int:
        """Accepted, and not in the queue."""
        return max(0, self.accepted - self.distinct)

    def problems(self) -> list[str]:
        """Why this account must not be believed; none: it is right."""
        found = []
        if self.lost:
            found.append(f"{self.lost} messages were accepted and are not in the queue")
        if self.queued > self.accepted:
            found.append(f"{self.queued - self.accepted} messages are in the queue that nobody accepted")
        if self.distinct != self.queued:
            found.append(f"{self.queued - self.distinct} messages are in the queue twice")
        if not self.answered <= self.accepted <= self.answered + self.cut_off:
            found.append(f"the clients saw {self.answered} accepted, the gateway counted {self.accepted}")
        return found
