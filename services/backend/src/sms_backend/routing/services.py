"""
Changing providers.

Each change is checked, committed, and written through to Redis; `NotProjectedError` means that only the last step is missing.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import redis
from django.db import IntegrityError, transaction
from pydantic import SecretStr

from sms_backend.accounts import validation
from sms_backend.core.crypto import seal, unseal
from sms_backend.core.errors import ConflictError, InvalidError
from sms_backend.core.readiness import not_projected
from sms_backend.routing import circuits, projection, selectors
from sms_backend.routing.models import Provider
from sms_backend.routing.selectors import TEST
from sms_providers.registry import ADAPTERS, ConfigError, build

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_LEAST_PRIORITY = -(2**31)
#: What a form shows in place of a secret, and what leaves it as it is.
HIDDEN = "***"


def add_provider(slug: str, *, adapter: str, config: Mapping[str, Any] | None = None, **settings: Any) -> Provider:
    """A new account at a vendor, active at once. Raises `InvalidError`, `ConflictError`, `NotProjectedError`."""
    if TEST in {slug, adapter}:
        raise ConflictError("the `test` provider is built in, and there is one of it")
    if not _SLUG.fullmatch(slug):
        raise InvalidError({"slug": f"{slug!r} is no slug; give up to 40 of a-z, 0-9, - and _, a letter or digit first"})
    checked = checked_settings(settings, adapter=adapter)
    sealed = seal(checked_config(adapter, config or {}))
    return _insert(Provider(slug=slug, adapter=adapter, config=sealed, **checked))


def set_provider(provider: Provider, *, config: Mapping[str, Any] | None = None, **settings: Any) -> Provider:
    """
    Change what is named, leave the rest.

    `config` is laid over what is stored; None takes a field away. Raises `InvalidError`, `NotProjectedError`.
    """
    for attribute, value in checked_settings(settings, adapter=provider.adapter).items():
        setattr(provider, attribute, value)
    if config is not None:
        merged = unseal(provider.config) | {name: value for name, value in config.items() if value != HIDDEN}
        provider.config = seal(checked_config(provider.adapter, merged))
    provider.save()
    _project()
    return provider


def enable_provider(provider: Provider, *, active: bool) -> Provider:
    """
    Put a provider into selection, or take it out: its messages then wait, or go to others.

    Enabling closes its circuit as well. Raises `NotProjectedError`.
    """
    if provider.adapter == TEST and not active:
        raise ConflictError("the `test` provider is built in: test keys need it")
    enabled = set_provider(provider, active=active)
    if active:
        try:
            circuits.reset(provider.slug)
        except redis.RedisError as error:
            raise not_projected(error) from error
    return enabled


def ensure_test_provider() -> bool:
    """The built-in provider of test mode; returns whether it had to be made."""
    _, made = Provider.objects.get_or_create(slug=TEST, defaults={"adapter": TEST, "config": seal({})})
    selectors.forget()
    return made


def checked_config(adapter: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration by its adapter's schema, as it is stored: without defaults and nulls. Raises `InvalidError`, value-free."""
    if adapter not in ADAPTERS:
        raise InvalidError({"adapter": f"there is no adapter {adapter!r}; there are {', '.join(sorted(ADAPTERS))}"})
    try:
        built = build(adapter, {name: value for name, value in config.items() if value is not None})
    except ConfigError as error:
        problems = {f"config.{name}" if name else "config": reason.removeprefix("Value error, ") for name, reason in error.problems}
        raise InvalidError(problems) from None
    secrets = {name: getattr(built.config, name) for name in built.config.secret_fields()}
    revealed = {name: value.get_secret_value() for name, value in secrets.items() if isinstance(value, SecretStr)}
    plain: dict[str, Any] = built.config.model_dump(mode="json", exclude_unset=True)
    return plain | revealed


def shown_config(provider: Provider) -> dict[str, Any]:
    """A provider's configuration for people: with `***` in place of every secret that is set."""
    secret = ADAPTERS[provider.adapter].Config.secret_fields() if provider.adapter in ADAPTERS else None
    return {name: HIDDEN if secret is None or name in secret else value for name, value in unseal(provider.config).items()}


def checked_settings(settings: Mapping[str, Any], *, adapter: str) -> dict[str, Any]:
    """Everything but the configuration. Raises `InvalidError` with every problem."""
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for attribute, value in settings.items():
        try:
            values[attribute] = _SETTINGS[attribute](value)
        except ValueError as error:
            problems[attribute] = str(error)
    if values.get("low_balance") is not None and not tells_balance(adapter):
        problems["low_balance"] = f"the adapter {adapter!r} cannot be asked what is left"
    if problems:
        raise InvalidError(problems)
    return values


def tells_balance(adapter: str) -> bool:
    """Whether a vendor can be asked what is left in an account."""
    return adapter in ADAPTERS and ADAPTERS[adapter].capabilities.balance


def _insert(provider: Provider) -> Provider:
    try:
        with transaction.atomic():
            provider.save(force_insert=True)
    except IntegrityError:
        raise ConflictError(f"there is a provider {provider.slug!r} already") from None
    _project()
    return provider


def _project() -> None:
    """After the commit: at once, or when the transaction around us has committed."""
    selectors.forget()
    transaction.on_commit(projection.write_through)


def _positive_or_none(value: Any) -> float | None:
    return None if value is None else validation.positive(value)


_SETTINGS: dict[str, Callable[[Any], Any]] = {
    "active": bool,
    "priority": partial(validation.whole, _LEAST_PRIORITY),
    "weight": partial(validation.whole, 1),
    "throughput": _positive_or_none,
    "low_balance": _positive_or_none,
    "countries": validation.countries,
    "denied": validation.countries,
}
