"""The headers that tell a client of its limits, and of what is left of them; on every answer to a send, whatever it says."""

from redis.exceptions import RedisError

from sms_contract import keyspace
from sms_gateway.api.answers import Headers
from sms_gateway.cache import CacheError
from sms_gateway.clock import Day
from sms_gateway.directory import Principal
from sms_gateway.gateway import Gateway
from sms_gateway.problems import Problem
from sms_gateway.submission import RefusedByAdmission


def limits(principal: Principal, used: int, day: Day, now_ms: int) -> Headers:
    """What admission has just said."""
    if not principal.policy:
        return []
    headers = [(b"ratelimit-policy", principal.policy)]
    limit = principal.client.daily_limit
    if limit is not None:
        headers.append((b"ratelimit", b'"daily";r=%d;t=%d' % (max(0, limit - used), max(0, -(-(day.ends_ms - now_ms) // 1000)))))
    return headers


async def limits_of_refused(problem: Problem, gateway: Gateway, principal: Principal) -> Headers:
    """The same for a refusal; one that admission had no part in has to ask. While Redis does not answer, only the policy is known."""
    now_ms = gateway.clock.now_ms()
    if isinstance(problem, RefusedByAdmission):
        return limits(principal, problem.used, problem.day, now_ms)
    policy = [(b"ratelimit-policy", principal.policy)] if principal.policy else []
    if principal.client.daily_limit is None:
        return policy
    day = gateway.calendar.day(principal.client.time_zone, now_ms)
    try:
        (counter,) = await gateway.cache.run(("GET", keyspace.quota(principal.client.id, day.name)))
    except CacheError:
        return policy
    return policy if isinstance(counter, RedisError) else limits(principal, int(counter or 0), day, now_ms)
