"""Clients and keys, as the rest of Server B reads them."""

from django.db.models import QuerySet
from django.utils import timezone

from sms_backend.accounts.models import ApiKey, Client
from sms_backend.core.errors import NotFoundError


def client_named(name_or_id: str) -> Client:
    """By name, else by id."""
    found = {client.name: client for client in Client.objects.filter(name=name_or_id)} or {
        client.id: client for client in Client.objects.filter(id=name_or_id)
    }
    if name_or_id not in found:
        raise NotFoundError(f"there is no client {name_or_id!r}; `client list` names them all")
    return found[name_or_id]


def clients() -> QuerySet[Client]:
    """All, by name."""
    return Client.objects.all()


def keys(client: Client | None = None) -> QuerySet[ApiKey]:
    """All keys, revoked ones too, or one client's."""
    found = ApiKey.objects.select_related("client")
    return found if client is None else found.filter(client=client)


def key_with(key_id: str) -> ApiKey:
    """One key, revoked or not."""
    try:
        return ApiKey.objects.select_related("client").get(id=key_id)
    except ApiKey.DoesNotExist:
        raise NotFoundError(f"there is no key {key_id!r}; `key list` names them all") from None


def valid_keys() -> QuerySet[ApiKey]:
    """Those that the gateway should know: neither revoked nor over."""
    return ApiKey.objects.filter(revoked_at=None).exclude(expires_at__lte=timezone.now())
