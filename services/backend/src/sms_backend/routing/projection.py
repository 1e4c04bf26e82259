"""Providers in Redis: what the gateway checks a message's `providers` against, and where it lets callbacks in."""

import hashlib

import msgspec
import redis

from sms_backend.core import locks
from sms_backend.core.cache import cache
from sms_backend.core.readiness import not_projected
from sms_backend.routing.models import Provider
from sms_backend.routing.selectors import TEST
from sms_contract import keyspace
from sms_contract.keyspace import ProviderRecord


def provider_record(provider: Provider) -> ProviderRecord:
    """A provider as the gateway sees it: nothing of its configuration."""
    return ProviderRecord(
        slug=provider.slug,
        active=provider.active,
        priority=provider.priority,
        weight=provider.weight,
        countries=provider.countries,
        denied=provider.denied,
        test=provider.adapter == TEST,
        callback_hash=hashlib.sha256(provider.callback_token.encode()).hexdigest(),
    )


def show_providers() -> bool:
    """Write all of them, under the caller's lock; returns whether that changed anything. Raises `redis.RedisError`."""
    value = msgspec.json.encode([provider_record(provider) for provider in Provider.objects.order_by("-priority", "slug")])
    if cache.get(keyspace.PROVIDERS) == value:
        return False
    cache.set(keyspace.PROVIDERS, value)
    return True


def write_through() -> None:
    """After a change. Raises `NotProjectedError`."""
    try:
        with locks.exclusive(locks.PROJECTION):
            show_providers()
    except redis.RedisError as error:
        raise not_projected(error) from error
