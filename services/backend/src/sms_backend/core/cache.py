"""Redis, as Server B writes it: bounded in time, never replaying a command whose answer was lost."""

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from sms_backend.core.environment import environment

#: One pool a process, shared by its threads. A lost answer is an error for the caller, who knows whether to repeat.
cache: "redis.Redis" = redis.Redis.from_url(
    str(environment.redis_url),
    retry=Retry(NoBackoff(), 0),
    socket_timeout=2,
    socket_connect_timeout=1,
    health_check_interval=15,
    decode_responses=False,
)
