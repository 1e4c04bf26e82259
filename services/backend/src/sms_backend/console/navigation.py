"""The console's menu: everybody sees what they may open."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse_lazy

from sms_backend.console.rights import Right, permits


@dataclass(frozen=True, kw_only=True)
class Item:
    """A line of the menu: what it is called, its Material symbol, the name of its page, and what it needs."""

    title: str
    icon: str
    page: str
    right: str


_MENU: tuple[tuple[str, tuple[Item, ...]], ...] = (
    ("Overview", (Item(title="Overview", icon="monitoring", page="index", right=Right.VIEW_DASHBOARD),)),
    (
        "Messages",
        (
            Item(title="Messages", icon="sms", page="sms_messages_message_changelist", right="sms_messages.view_message"),
            Item(title="Inbound", icon="inbox", page="sms_messages_inboundmessage_changelist", right="sms_messages.view_inboundmessage"),
            Item(title="Suppression list", icon="block", page="suppressions", right="sms_messages.view_suppression"),
            Item(title="Parked", icon="report", page="sms_messages_parked_changelist", right="sms_messages.view_parked"),
        ),
    ),
    (
        "Who sends",
        (
            Item(title="Clients", icon="apartment", page="accounts_client_changelist", right="accounts.view_client"),
            Item(title="API keys", icon="key", page="accounts_apikey_changelist", right="accounts.view_apikey"),
            Item(title="Numbers", icon="dialpad", page="accounts_inboundnumber_changelist", right="accounts.view_inboundnumber"),
        ),
    ),
    (
        "Who is told",
        (
            Item(title="Webhooks", icon="webhook", page="accounts_webhookendpoint_changelist", right="accounts.view_webhookendpoint"),
            Item(
                title="Deliveries", icon="outbox", page="sms_messages_webhookdelivery_changelist", right="sms_messages.view_webhookdelivery"
            ),
        ),
    ),
    (
        "Who carries",
        (
            Item(title="Providers", icon="cell_tower", page="routing_provider_changelist", right="routing.view_provider"),
            Item(title="Routes", icon="alt_route", page="routes", right=Right.EXPLAIN_ROUTES),
            Item(title="Pauses", icon="pause_circle", page="pauses", right="routing.view_pause"),
        ),
    ),
    (
        "This console",
        (
            Item(title="Users", icon="person", page="auth_user_changelist", right="auth.view_user"),
            Item(title="Audit trail", icon="history", page="console_auditentry_changelist", right="console.view_auditentry"),
        ),
    ),
)


def menu(_request: HttpRequest) -> list[dict[str, Any]]:
    """As unfold's sidebar takes it."""
    return [{"title": title, "items": [_shown(item) for item in items]} for title, items in _MENU]


def account(_request: HttpRequest) -> list[dict[str, Any]]:
    """The links of whoever is signed in."""
    return [{"title": "Your profile", "link": reverse_lazy("admin:profile")}]


def _shown(item: Item) -> dict[str, Any]:
    return {"title": item.title, "icon": item.icon, "link": reverse_lazy(f"admin:{item.page}"), "permission": _needs(item.right)}


def _needs(right: str) -> Callable[[HttpRequest], bool]:
    return lambda request: permits(request, right)
