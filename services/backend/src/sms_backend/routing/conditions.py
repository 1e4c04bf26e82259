"""What keeps a provider from being called just now, read once a claim and in one round trip."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sms_backend.core.besteffort import BestEffort
from sms_backend.core.cache import cache
from sms_backend.routing import avoided
from sms_backend.routing.circuits import Circuit, parse, state_key

_best_effort = BestEffort("conditions")


@dataclass(frozen=True, kw_only=True, slots=True)
class Conditions:
    """What Redis knew at the claim; nothing while it is away."""

    circuits: Mapping[str, Circuit] = field(default_factory=dict)  #: open ones
    avoided: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)  #: (client, sender) to providers

    def avoided_by(self, client: str, sender: str | None) -> frozenset[str]:
        """Providers that refused this client's sender lately."""
        return self.avoided.get((client, sender or ""), frozenset()) if self.avoided else frozenset()

    def until_probe(self, slugs: Iterable[str], now_ms: int) -> float:
        """Seconds until one of these open circuits may be probed."""
        return max(0, min(self.circuits[slug].probe_at for slug in slugs) - now_ms) / 1000


def read(slugs: Sequence[str]) -> Conditions:
    """The circuits of these providers, and whom senders avoid."""
    return _best_effort(lambda: _read(slugs), otherwise=Conditions()) if slugs else Conditions()


def _read(slugs: Sequence[str]) -> Conditions:
    with cache.pipeline(transaction=False) as pipe:
        pipe.mget([state_key(slug) for slug in slugs])
        pipe.zrange(avoided.KEY, 0, -1, withscores=True)
        pipe.time()
        states, members, (now, _) = pipe.execute()
    return Conditions(circuits=parse(slugs, states), avoided=avoided.parse(members, now=now))
