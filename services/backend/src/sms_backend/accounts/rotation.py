"""
Moving over to new secrets: what is hashed or encrypted under an older one, and what moves it.

A key's hash cannot be made anew without the key. Whoever sees it used (the gateway, the history) leaves the new hash in Redis, and a
sweeper takes it from there: Redis is where the gateway reads hashes anyway, so that nobody gains by it who could not let himself in before.
"""

from typing import Any

import redis
import structlog
from django.db import models

from sms_backend.accounts import projection, selectors
from sms_backend.accounts.keys import pepper_mark
from sms_backend.accounts.models import ApiKey, CallbackSecret, WebhookEndpoint
from sms_backend.core.cache import cache
from sms_backend.core.crypto import is_newest, reseal
from sms_backend.core.environment import environment
from sms_contract import keyspace

log = structlog.get_logger()

_HEX = frozenset("0123456789abcdef")


def leave_hash(key_id: str, newest: str) -> None:
    """A key was used that is stored under an older pepper; where Redis does not answer, the next use will tell."""
    try:
        cache.set(keyspace.rehashed(key_id, pepper_mark()), newest, ex=keyspace.REHASHED_TTL)
    except redis.RedisError as error:
        log.warning("rotation.postponed", error=type(error).__name__)


def take_hashes() -> int:
    """Move keys that were used to the newest pepper; returns how many. Safe to run twice at once. Raises `redis.RedisError`."""
    if len(environment.peppers) == 1:
        # There is only this one: whatever is valid is under it.
        return ApiKey.objects.filter(pepper="").update(pepper=pepper_mark())
    left = list(old_keys())
    if not left:
        return 0
    moved = 0
    values: list[Any] = cache.mget([keyspace.rehashed(key.id, pepper_mark()) for key in left])
    for key, value in zip(left, values, strict=True):
        newest = (value or b"").decode("ascii", "replace")
        if len(newest) == 64 and set(newest) <= _HEX:
            moved += ApiKey.objects.filter(id=key.id, hash=key.hash).update(hash=newest, pepper=pepper_mark())
            projection.show_key(key.id)
    return moved


def old_keys() -> models.QuerySet[ApiKey]:
    """Valid keys that are stored under an older pepper; without it they would not be known any more."""
    return selectors.valid_keys().exclude(pepper=pepper_mark())


def reseal_field(rows: models.QuerySet[Any], field: str) -> int:
    """Encrypt a column under the newest key; returns how many rows were under an older one. One that changes meanwhile is there already."""
    moved = 0
    for key, sealed in rows.values_list("pk", field):
        if sealed and not is_newest(sealed):
            moved += rows.filter(pk=key, **{field: sealed}).update(**{field: reseal(sealed)})
    return moved


def reseal_signing_secrets() -> int:
    """What webhooks are signed with."""
    owners = (WebhookEndpoint.objects.all(), CallbackSecret.objects.all())
    return sum(reseal_field(rows, field) for rows in owners for field in ("secret", "previous_secret"))
