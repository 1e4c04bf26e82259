"""
Changing clients and keys.

Each change is checked, committed, and written through to Redis; `NotProjectedError` means that only the last step is missing.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from sms_backend.accounts import keys, projection, validation
from sms_backend.accounts.models import ApiKey, Client, public_id
from sms_backend.core.errors import ConflictError, InvalidError
from sms_contract.status import Mode

#: Field of a client to what checks it; None is let through where the field may be empty.
_CLIENT_FIELDS: dict[str, Callable[[Any], Any]] = {
    "name": validation.name,
    "time_zone": validation.time_zone,
    "daily_quota": partial(validation.whole, 0),
    "rate": validation.positive,
    "burst": partial(validation.whole, 1),
    "default_sender": validation.sender,
    "senders": validation.senders,
    "countries": validation.countries,
    "denied": validation.countries,
    "on_unknown": validation.on_unknown,
}
_MAY_BE_NONE = frozenset({"daily_quota", "rate", "burst", "default_sender"})


@dataclass(frozen=True, kw_only=True)
class IssuedKey:
    """A new key, and the only sight of its text."""

    key: ApiKey
    text: str = field(repr=False)


def add_client(name: str, **settings: Any) -> Client:
    """A new client. Raises `InvalidError`, `ConflictError`, `NotProjectedError`."""
    return save_client(Client(**checked_client({"name": name, **settings})), new=True)


def set_client(client: Client, **settings: Any) -> Client:
    """Change what is named, leave the rest. Raises `InvalidError`, `ConflictError`, `NotProjectedError`."""
    for attribute, value in checked_client(settings).items():
        setattr(client, attribute, value)
    return save_client(client)


def save_client(client: Client, *, new: bool = False) -> Client:
    """Store a client whose settings are checked, each by itself. Raises `InvalidError`, `ConflictError`, `NotProjectedError`."""
    check_together(client)
    try:
        with transaction.atomic():
            client.save(force_insert=new)
    except IntegrityError:
        raise ConflictError(f"there is a client {client.name!r} already") from None
    _project(projection.show_client, client.id)
    return client


def suspend_client(client: Client, *, suspended: bool) -> Client:
    """Refuse new messages and hold queued ones, or let them go on."""
    client.suspended = suspended
    client.save(update_fields=["suspended"])
    _project(projection.show_client, client.id)
    return client


def issue_key(
    client: Client,
    *,
    mode: str = Mode.LIVE,
    scopes: Iterable[str] = (),
    expires: str | datetime | None = None,
    networks: Iterable[str] = (),
) -> IssuedKey:
    """
    A new key. Raises `InvalidError`, `UnreachableError`, `NotProjectedError`.

    Its text is shown once, so that nothing is issued while Redis is away: nobody would see the text, and nobody could use the key.
    """
    checks: dict[str, Callable[[], Any]] = {
        "mode": partial(validation.mode, mode),
        "scopes": partial(validation.scopes, scopes),
        "expires": partial(validation.expiry, expires, timezone.now()),
        "networks": partial(validation.networks, networks),
    }
    values = _run(checks)
    projection.reach()
    secret = keys.new_secret()
    key = ApiKey(
        id=public_id(),
        client=client,
        mode=values["mode"],
        hash=keys.key_hash(secret),
        pepper=keys.pepper_mark(),
        scopes=values["scopes"],
        networks=values["networks"],
        expires_at=values["expires"],
    )
    key.save(force_insert=True)
    _project(projection.show_key, key.id)
    return IssuedKey(key=key, text=keys.key_text(key.mode, key.id, secret))


def rotate_key(key: ApiKey, *, grace: timedelta) -> IssuedKey:
    """
    A new key that may do what an old one may; the old one goes on for `grace` at most, or ends now if that is nothing.

    Raises `UnreachableError`, `NotProjectedError`.
    """
    end = timezone.now() + grace
    with transaction.atomic():
        issued = issue_key(key.client, mode=key.mode, scopes=key.scopes, expires=key.expires_at, networks=key.networks)
        if not grace:
            revoke_key(key)
        elif key.expires_at is None or key.expires_at > end:
            key.expires_at = end
            key.save(update_fields=["expires_at"])
            _project(projection.show_key, key.id)
    return issued


def revoke_key(key: ApiKey) -> ApiKey:
    """End a key; revoking it again writes it through again."""
    if key.revoked_at is None:
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])
    _project(projection.show_key, key.id)
    return key


def checked_client(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A client's settings as they are stored. Raises `InvalidError` with every problem."""
    checks = {
        attribute: (lambda: None) if value is None and attribute in _MAY_BE_NONE else partial(_CLIENT_FIELDS[attribute], value)
        for attribute, value in settings.items()
    }
    values = _run(checks)
    if "rate" in values and values["rate"] is None:
        # Who takes the rate away means the burst as well: alone it says nothing.
        values.setdefault("burst", None)
    return values


def _run(checks: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for attribute, check in checks.items():
        try:
            values[attribute] = check()
        except ValueError as error:
            problems[attribute] = str(error)
    if problems:
        raise InvalidError(problems)
    return values


def check_together(client: Client) -> None:
    """What two settings say to each other. Raises `InvalidError`."""
    if client.burst is not None and client.rate is None:
        raise InvalidError({"burst": "it needs a rate"})
    if client.default_sender is not None and client.senders and client.default_sender not in client.senders:
        raise InvalidError({"default_sender": "it is not one of the allowed senders"})


def _project(show: Callable[[str], None], identity: str) -> None:
    """After the commit: at once, or when the transaction around us has committed."""
    transaction.on_commit(partial(show, identity))
