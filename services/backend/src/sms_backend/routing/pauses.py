"""Holding messages back, and letting them go on. Nothing is lost by it, but validity runs on."""

from collections.abc import Sequence
from typing import Any

from sms_backend.accounts.models import Client
from sms_backend.routing import selectors
from sms_backend.routing.models import Pause, Provider


def pause(*, client: Client | None = None, lane: str | None = None, provider: Provider | None = None) -> Pause:
    """
    Hold what is this client's, and in this lane, and for this provider; None: any.

    Every worker obeys at its next claim; where a provider is named, within two seconds. May be done again.
    """
    paused, _ = Pause.objects.get_or_create(client=client, lane=lane, provider=provider)
    selectors.forget()
    return paused


def resume(*, client: Client | None = None, lane: str | None = None, provider: Provider | None = None) -> int:
    """Take back every pause that lies within this client, lane and provider; with none of them all. Returns how many."""
    given = {"client": client, "lane": lane, "provider": provider}
    deleted, _ = Pause.objects.filter(**{name: value for name, value in given.items() if value is not None}).delete()
    selectors.forget()
    return deleted


def lift(held: Pause) -> None:
    """Take back one pause."""
    held.delete()
    selectors.forget()


def paused() -> Sequence[Pause]:
    """All that is held."""
    return list(Pause.objects.select_related("client"))


def document(pause: Pause) -> dict[str, Any]:
    """A pause, as operators see it."""
    return {
        "client": None if pause.client is None else pause.client.name,
        "lane": pause.lane,
        "provider": pause.provider_id,
        "since": pause.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
