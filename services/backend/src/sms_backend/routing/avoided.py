"""
Who refused a sender lately: for ten minutes that provider is the last that smart selection gives this sender's messages to.

Remembered for one client's sender, since a refusal may have been about that message's route: it never closes a provider for others. By
Redis's clock: what one worker writes others read, and their own may differ.
"""

from collections.abc import Iterable

from sms_backend.core.besteffort import BestEffort
from sms_backend.core.cache import cache

#: Seconds.
REMEMBERED = 600
#: Pairs that are remembered at most; the oldest go first.
_MOST = 1000
#: Sorted set: `<provider>|<client>|<sender>` by the second, of Redis's clock, at which it is forgotten.
KEY = "sms:avoided"

_best_effort = BestEffort("avoided")

#: Provider, client, sender.
Refusal = tuple[str, str, str]


def remember(refusals: Iterable[Refusal]) -> None:
    """What providers have just refused."""
    members = ["|".join(refusal) for refusal in refusals]
    if members:
        _best_effort(lambda: _remember(members), otherwise=None)


def parse(members: Iterable[tuple[bytes, float]], *, now: float) -> dict[tuple[str, str], frozenset[str]]:
    """(client, sender) to the providers that refused it, of members with their scores."""
    found: dict[tuple[str, str], set[str]] = {}
    for member, until in members:
        if until < now:
            continue
        slug, client, sender = member.decode().split("|", 2)
        found.setdefault((client, sender), set()).add(slug)
    return {pair: frozenset(slugs) for pair, slugs in found.items()}


def _remember(members: Iterable[str]) -> None:
    now, _ = cache.time()
    with cache.pipeline(transaction=False) as pipe:
        pipe.zremrangebyscore(KEY, "-inf", now)
        pipe.zadd(KEY, mapping=dict.fromkeys(members, now + REMEMBERED))
        pipe.zremrangebyrank(KEY, 0, -_MOST - 1)
        pipe.expire(KEY, REMEMBERED)
        pipe.execute()
