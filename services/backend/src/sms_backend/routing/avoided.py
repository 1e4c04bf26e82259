"""
Who refused a sender lately: for ten minutes that provider is the last that smart selection gives this sender's messages to.

Remembered for one client's sender, since a refusal may have been about that message's route: it never closes a provider for others.
"""

import time
from collections.abc import Iterable

from sms_backend.core.besteffort import BestEffort
from sms_backend.core.cache import cache

#: Seconds.
REMEMBERED = 600
#: Pairs that are remembered at most; the oldest go first.
_MOST = 1000
#: Sorted set: `<provider>|<client>|<sender>` by the second at which it is forgotten.
KEY = "sms:avoided"

_best_effort = BestEffort("avoided")

#: Provider, client, sender.
Refusal = tuple[str, str, str]


def remember(refusals: Iterable[Refusal]) -> None:
    """What providers have just refused."""
    until = int(time.time()) + REMEMBERED
    members: dict[str, float] = {"|".join(refusal): until for refusal in refusals}
    if members:
        _best_effort(lambda: _remember(members), otherwise=None)


def parse(members: Iterable[bytes]) -> dict[tuple[str, str], frozenset[str]]:
    """(client, sender) to the providers that refused it."""
    found: dict[tuple[str, str], set[str]] = {}
    for member in members:
        slug, client, sender = member.decode().split("|", 2)
        found.setdefault((client, sender), set()).add(slug)
    return {pair: frozenset(slugs) for pair, slugs in found.items()}


def _remember(members: dict[str, float]) -> None:
    with cache.pipeline(transaction=False) as pipe:
        pipe.zremrangebyscore(KEY, "-inf", time.time())
        pipe.zadd(KEY, mapping=members)
        pipe.zremrangebyrank(KEY, 0, -_MOST - 1)
        pipe.expire(KEY, REMEMBERED)
        pipe.execute()
