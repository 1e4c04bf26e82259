"""Where clients hear what becomes of their messages: endpoints, and the secrets that sign (Standard Webhooks 1.0)."""

import base64
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone

from sms_backend.accounts.models import CallbackSecret, Client, SigningSecrets, WebhookEndpoint
from sms_backend.core import addresses
from sms_backend.core.crypto import seal, unseal
from sms_backend.core.environment import environment
from sms_backend.core.errors import InvalidError, NotFoundError

STATUSES = ("sent", "delivered", "undelivered", "failed", "rejected", "expired", "canceled", "unknown")
TYPES = (*(f"message.{status}" for status in STATUSES), "message.received")
#: For so long the secret before the newest signs too.
OVERLAP = timedelta(hours=24)
_LONGEST = 2048


@dataclass(frozen=True, kw_only=True)
class IssuedEndpoint:
    """An endpoint with its secret."""

    endpoint: WebhookEndpoint
    secret: str = field(repr=False)


def add_endpoint(client: Client, url: str, *, types: Iterable[str] = ()) -> IssuedEndpoint:
    """A new endpoint; no types named: all. Raises `InvalidError`."""
    wanted = list(dict.fromkeys(types))
    check_endpoint(url, wanted)
    secret = new_secret()
    return IssuedEndpoint(
        endpoint=WebhookEndpoint.objects.create(client=client, url=url, types=wanted, secret=_sealed(secret)), secret=secret
    )


def check_endpoint(url: str, types: Iterable[str]) -> None:
    """Whether there may be an endpoint there, for these types. Raises `InvalidError`."""
    unknown = [name for name in types if name not in TYPES]
    if unknown:
        raise InvalidError({"type": f"{unknown[0]!r} is no type; there are {', '.join(TYPES)}"})
    _check_url(url)


def rotate(owner: SigningSecrets, *, overlap: timedelta = OVERLAP) -> str:
    """A new secret; the one before it signs too until `overlap` is over."""
    secret = new_secret()
    owner.previous_secret, owner.previous_until = owner.secret, timezone.now() + overlap
    owner.secret = _sealed(secret)
    owner.save(update_fields=["secret", "previous_secret", "previous_until"])
    return secret


def enable_endpoint(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    """Write to it again. What was given up meanwhile can be replayed."""
    endpoint.disabled_at, endpoint.disabled_reason, endpoint.failing_since = None, "", None
    endpoint.save(update_fields=["disabled_at", "disabled_reason", "failing_since"])
    return endpoint


def disable_endpoint(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    """Write to it no more; it keeps its secret."""
    if endpoint.disabled_at is None:
        endpoint.disabled_at, endpoint.disabled_reason = timezone.now(), "operator"
        endpoint.save(update_fields=["disabled_at", "disabled_reason"])
    return endpoint


def default_secret(client: Client) -> CallbackSecret:
    """What signs for `callback_url`; made when it is first asked for, once."""
    with transaction.atomic():
        return CallbackSecret.objects.get_or_create(client=client, defaults={"secret": _sealed(new_secret())})[0]


def signing_secrets(owner: SigningSecrets) -> list[str]:
    """Those that sign now, the newest first."""
    valid = [owner.secret]
    if owner.previous_secret is not None and owner.previous_until is not None and owner.previous_until > timezone.now():
        valid.append(owner.previous_secret)
    return [unseal(sealed)["secret"] for sealed in valid]


def endpoint_with(endpoint_id: str) -> WebhookEndpoint:
    """One endpoint, disabled or not. Raises `NotFoundError`."""
    found = WebhookEndpoint.objects.select_related("client").filter(id=endpoint_id).first()
    if found is None:
        raise NotFoundError(f"there is no endpoint {endpoint_id!r}; `webhook list` names them all")
    return found


def new_secret() -> str:
    """`whsec_` and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _check_url(url: str) -> None:
    allowed = {"https", "http"} if environment.smsgw_development else {"https"}
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InvalidError({"url": "it cannot be read"}) from None
    problem = None
    if len(url) > _LONGEST or not url.isascii() or not url.isprintable() or " " in url:
        problem = f"give at most {_LONGEST} visible ASCII characters"
    elif parts.scheme not in allowed or not host or port == 0:
        problem = f"give an absolute URL with {' or '.join(sorted(allowed))}"
    elif parts.username is not None or parts.fragment:
        problem = "leave user name, password and fragment out"
    elif addresses.is_address(host) and not addresses.is_allowed(host, loopback=environment.smsgw_development):
        problem = "its address is not public"
    if problem is not None:
        raise InvalidError({"url": problem})


def _sealed(secret: str) -> str:
    return seal({"secret": secret})
